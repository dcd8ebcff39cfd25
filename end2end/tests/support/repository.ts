// Before and after all tests: the branch they push to is put back, so that a demo that follows deploys no test's commit.
import { Clone } from './lab';

export default async function remember() {
  const before = await withClone((clone) => clone.head());
  return () => withClone((clone) => clone.putBack(before));
}

async function withClone<T>(work: (clone: Clone) => T): Promise<T> {
  const clone = await Clone.of('dev');
  try {
    return work(clone);
  } finally {
    clone.remove();
  }
}
