// Whoever confirms a deploy can have the images built anew, and sees what that changes before anything starts.
import { askToDeploy, expect, mark, newestRun, open, test, wasKept } from '../support/portal';

const ANEW = 'build the image of backend anew, without the cache and on base images as they are now';
const BOX = 'Build the images anew';

test('a tick in the confirmation has the images built anew, and the plan says so before the click', async ({ as }) => {
  const page = await as('dev');
  await open(page, '/');
  await mark(page);
  const before = await newestRun(page);
  const dialog = await askToDeploy(page, 'dev');
  const box = dialog.getByLabel(BOX);
  await expect(box).not.toBeChecked();
  await expect(box).toHaveAccessibleDescription(/a fix in a base image/);
  await expect(dialog.locator('.plan')).toContainText('reuse the image of backend');
  await dialog.getByLabel(/Reason/).fill('The base image was mended');

  await box.check();
  await expect(dialog.locator('.plan')).toContainText(ANEW);
  await expect(dialog.locator('.plan .notice').filter({ hasText: 'every image is built anew' })).toBeVisible();
  await expect(dialog.locator('.plan')).not.toContainText('reuse the image');
  await expect(dialog.locator('input[type=hidden][name=rebuild]'), 'what is shown is what is sent').toHaveValue('true');
  await expect(dialog.getByLabel(/Reason/), 'what was written stays').toHaveValue('The base image was mended');
  await expect(box, 'the keyboard stays where it was').toBeFocused();

  await box.uncheck();
  await expect(dialog.locator('.plan')).toContainText('reuse the image of backend');
  await expect(dialog.locator('input[type=hidden][name=rebuild]')).toHaveCount(0);
  expect(await newestRun(page), 'nothing has started').toBe(before);
  await wasKept(page);
});

test('without JavaScript the plan with the images built anew is another page', async ({ as }) => {
  const page = await as('dev', { javaScriptEnabled: false });
  await page.goto('/deploy/projectmeats/dev');
  await expect(page.locator('.plan')).toContainText('reuse the image of backend');
  await page.getByLabel(BOX).check();
  await page.getByRole('button', { name: 'Show this plan' }).click();
  await expect(page).toHaveURL(/[?&]rebuild=true/);
  await expect(page.locator('.plan')).toContainText(ANEW);
  await expect(page.getByLabel(BOX)).toBeChecked();
  await expect(page.locator('input[type=hidden][name=rebuild]')).toHaveValue('true');
});
