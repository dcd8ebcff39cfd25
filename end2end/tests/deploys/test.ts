// Deploys share one environment: each test finds it free and leaves it free, even when it failed half-way.
import { devBackend, tellPushes } from '../support/lab';
import { expect, stopRuns, test as base } from '../support/portal';

export { expect };

type Fixtures = {
  /** Whether GitHub tells the portal of pushes, which then start runs. Elsewhere people press Deploy. */
  pushesStartRuns: boolean;
  free: void;
};

export const test = base.extend<Fixtures>({
  pushesStartRuns: [false, { option: true }],

  free: [
    async ({ as, baseURL, pushesStartRuns }, use) => {
      const page = await as('lena');
      await stopRuns(page, baseURL ?? '');
      if (pushesStartRuns) await tellPushes(true);
      await use();
      if (pushesStartRuns) await tellPushes(false);
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
