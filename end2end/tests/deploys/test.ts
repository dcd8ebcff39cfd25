// Deploys share one environment: each test finds it free and leaves it free, even when it failed half-way.
import { devBackend } from '../support/lab';
import { expect, stopRuns, test as base } from '../support/portal';

export { expect };

export const test = base.extend<{ free: void }>({
  free: [
    async ({ as, baseURL }, use) => {
      const page = await as('lena');
      await stopRuns(page, baseURL ?? '');
      await use();
      await stopRuns(page, baseURL ?? '');
    },
    { auto: true },
  ],
});

/** Waits until the backend is this container again: one that was put back needs some seconds until it answers. */
export async function answersAgain(serving: Awaited<ReturnType<typeof devBackend>>) {
  const now = () => devBackend().catch(String);
  await expect.poll(now, { message: 'the old container answers', timeout: 60_000 }).toEqual(serving);
}
