// Without JavaScript a deploy is a page with a plain form.
import { confirm, lane, lines, state, step } from '../support/portal';
import { Clone, devBackend } from '../support/lab';
import { harmless } from '../support/commits';
import { expect, test } from './test';

test.use({ javaScriptEnabled: false });

test('a deploy works without JavaScript, and reuses images of the same source', async ({ as }) => {
  const clone = await Clone.of('dev');
  const note = `The same twice, ${new Date().toISOString()}`;
  const before = harmless(clone, 'Mend the settings', note);
  const page = await as('dev');

  const deploy = async (short: string, expected: string) => {
    await page.goto('/');
    await lane(page, 'dev').getByLabel('Deploy to dev').click();
    await expect(page).toHaveURL(/\/deploy\/projectmeats\/dev$/);
    await expect(page.locator('.plan')).toContainText(short);
    await expect(page.locator('.plan')).toContainText(expected);
    await page.getByLabel(/Reason/).fill('No script');
    const run = await confirm(page, page);
    await expect(async () => {
      await page.goto(`/runs/${run}`);
      await expect(state(page)).toHaveText('Succeeded', { timeout: 500 });
    }).toPass({ timeout: 180_000 });
  };

  await deploy(before.short, 'build the image of backend');
  expect(await devBackend()).toMatchObject({ status: 200, commit: before.sha });
  await step(page, 'Deploy backend').click();
  await expect(lines(page).filter({ hasText: 'pm-backend is healthy' })).toHaveCount(1);

  const again = harmless(clone, 'Change nothing but the commit', note);
  clone.remove();
  await deploy(again.short, 'reuse the image of backend');
  expect(await devBackend()).toMatchObject({ status: 200, commit: again.sha });
});
