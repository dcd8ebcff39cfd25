// What became of a commit, on a page of its own.
import type { Page } from '@playwright/test';
import { expect, mark, open, test, wasKept } from '../support/portal';
import { runThat } from './support';

const part = (page: Page, name: string) => page.locator('section.card').filter({ has: page.getByRole('heading', { name, exact: true }) });

test('a release tells its images, where they run or ran, its tests, its migration and its runs', async ({ as }) => {
  const page = await as('vera');
  const address = await runThat(page, 'succeeded', 'Tell what an order is');
  const run = address.split('/').pop();
  await open(page, address);
  await mark(page);
  await page.getByRole('link', { name: 'Images, tests and places' }).click();
  await expect(page).toHaveURL(/\/releases\/projectmeats\/[0-9a-f]{40}$/);
  const sha = new URL(page.url()).pathname.split('/').pop() ?? '';
  await expect(page.getByRole('heading', { name: `Release ${sha.slice(0, 7)}` })).toBeVisible();
  await wasKept(page);

  await test.step('each image in each registry, by digest and tag, and the tests that passed on it', async () => {
    for (const component of ['backend', 'frontend']) {
      const images = page.locator('.release-component').filter({ has: page.getByRole('heading', { name: component }) });
      const digests = [];
      for (const registry of ['docr', 'ghcr']) {
        const image = images.getByRole('listitem').filter({ hasText: registry });
        await expect(image).toHaveCount(1);
        await expect(image).toContainText(`dev-${sha}`);
        await expect(image).toContainText(/\d+\.\d MB to pull as a whole/);
      digests.push(/sha256:[0-9a-f]{64}/.exec(await image.innerText())?.[0]);
      }
      expect(digests[0]).toBeTruthy();
      expect(digests[1], 'both registries have the same image').toBe(digests[0]);
      await expect(images).toContainText(/[Tt]ests passed in run #\d+/);
    }
  });

  await test.step('where it was healthy, and what it did to the database', async () => {
    const where = part(page, 'Where it is').locator('tbody tr');
    for (const component of ['backend', 'frontend']) {
      const row = where.filter({ has: page.getByRole('cell', { name: component }) });
      await expect(row).toContainText('dev');
      await expect(row).toContainText(/Runs|Ran/);
      await expect(row.getByRole('link', { name: `#${run}` })).toBeVisible();
    }
    const migrated = part(page, 'Migrations').locator('tbody tr').filter({ hasText: `#${run}` });
    await expect(migrated).toContainText('backend');
    await expect(migrated).toContainText('orders.0003_comment_');
  });

  await test.step('its runs, and a way back to each', async () => {
    await part(page, 'Runs').getByRole('link', { name: `#${run}` }).click();
    await expect(page.getByRole('heading', { name: `Run #${run}` })).toBeVisible();
    await wasKept(page);
  });
});

test('of a release whose tests failed, each run tells its own story', async ({ as }) => {
  const page = await as('vera');
  await open(page, await runThat(page, 'failed', 'Count wrongly'));
  await page.getByRole('link', { name: 'Images, tests and places' }).click();
  const runs = part(page, 'Runs').locator('tbody tr');
  await expect(runs.filter({ hasText: 'Failed' })).not.toHaveCount(0);
  await expect(runs.filter({ hasText: 'Succeeded' })).not.toHaveCount(0);
  const backend = page.locator('.release-component').filter({ has: page.getByRole('heading', { name: 'backend' }) });
  await expect(backend).toContainText('No test has passed on it');
});
