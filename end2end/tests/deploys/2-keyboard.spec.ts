// The second deploy, of a commit that was pushed meanwhile, by a developer who has no mouse.
import type { Locator, Page } from '@playwright/test';
import { hydrated, lane, mark, open, state, step, wasKept } from '../support/portal';
import { Clone } from '../support/lab';
import { harmless } from '../support/commits';
import { expect, test } from './test';

/** Presses Tab until the focus is there; it must be visible all the way. */
async function tabTo(page: Page, wanted: Locator) {
  await expect(wanted).toBeVisible();
  for (let presses = 0; presses < 60; presses++) {
    if (await wanted.evaluate((element) => element === document.activeElement)) {
      const outline = await wanted.evaluate((element) => {
        const { outlineStyle, outlineWidth, boxShadow } = getComputedStyle(element);
        return (outlineStyle !== 'none' && parseFloat(outlineWidth) > 0) || boxShadow !== 'none';
      });
      expect(outline, 'the focus is seen').toBe(true);
      return;
    }
    await page.keyboard.press('Tab');
  }
  throw new Error('Tab never came there');
}

test('a pushed commit shows as the new head on a board that is only left open', async ({ as }) => {
  const page = await as('vera');
  await open(page, '/');
  await mark(page);
  const clone = await Clone.of('dev');
  const commit = harmless(clone, 'Say it better');
  clone.remove();
  // The portal asks the repository again while somebody looks, at most every half a minute.
  await expect(lane(page, 'dev')).toContainText(commit.short, { timeout: 90_000 });
  await wasKept(page);
  await expect(lane(page, 'dev')).toContainText('1 commit to deploy');
  await expect(lane(page, 'dev')).toContainText(commit.title);
});

test('a developer deploys from the sign-in to the run with the keyboard alone', async ({ page }) => {
  await page.goto('/');
  await hydrated(page);
  await tabTo(page, page.getByRole('link', { name: 'Sign in with GitHub' }));
  await page.keyboard.press('Enter');
  await tabTo(page, page.locator('button[name=login][value=dev]'));
  await page.keyboard.press('Enter');
  await hydrated(page);

  await tabTo(page, page.getByRole('link', { name: 'Skip to the page' }));
  await page.keyboard.press('Enter');
  await expect(page.locator('#page')).toBeFocused();

  const deploy = page.getByLabel('Deploy to dev');
  await tabTo(page, deploy);
  await page.keyboard.press('Enter');
  const dialog = page.getByRole('dialog');
  await expect(dialog).toBeVisible();
  await expect.poll(() => dialog.evaluate((element) => element.contains(document.activeElement)), 'the dialog has the focus').toBe(true);

  await page.keyboard.press('Escape');
  await expect(dialog).toBeHidden();
  await expect(deploy, 'and gives it back').toBeFocused();

  await page.keyboard.press('Enter');
  await tabTo(page, dialog.getByRole('button', { name: /^Deploy [0-9a-f]{7} to dev$/ }));
  await page.keyboard.press('Enter');
  await page.waitForURL(/\/runs\/\d+$/);

  await tabTo(page, step(page, 'Check out'));
  await page.keyboard.press('Enter');
  await expect(page).toHaveURL(/\?step=\d+$/);
  await expect(step(page, 'Check out')).toHaveAttribute('aria-current', 'step');
  await expect(state(page)).toHaveText('Succeeded', { timeout: 210_000 });
});
