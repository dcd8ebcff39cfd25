// Deploys share one environment: each test finds it free and leaves it free, even when it failed half-way.
import { stopRuns, test as base } from '../support/portal';

export { expect } from '../support/portal';

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
