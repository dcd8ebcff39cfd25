// Before and after all tests: the branch they push to is put back, so that a demo that follows deploys no test's commit.
// Meanwhile a push starts no run, except in the tests that are about that.
import { Clone, tellPushes } from './lab';

export default async function remember() {
  const before = await withClone((clone) => clone.head());
  await tellPushes(false);
  return async () => {
    await withClone((clone) => clone.putBack(before));
    await tellPushes(true);
  };
}

async function withClone<T>(work: (clone: Clone) => T): Promise<T> {
  const clone = await Clone.of('dev');
  try {
    return work(clone);
  } finally {
    clone.remove();
  }
}
