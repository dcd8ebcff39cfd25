// Light and dark: as the system says, or as one chose.
import type { Page } from '@playwright/test';
import { expect, hydrated, open, test } from '../support/portal';

/** How light the page's ground is, from 0 to 255. */
const ground = (page: Page) =>
  page.evaluate(() => {
    const canvas = document.createElement('canvas').getContext('2d');
    if (!canvas) return -1;
    canvas.fillStyle = getComputedStyle(document.body).backgroundColor;
    canvas.fillRect(0, 0, 1, 1);
    const [red, green, blue] = canvas.getImageData(0, 0, 1, 1).data;
    return (red + green + blue) / 3;
  });

test('the colours follow the system', async ({ as }) => {
  const page = await as('vera', { colorScheme: 'dark' });
  await open(page, '/');
  await expect.poll(() => ground(page)).toBeLessThan(60);
  await page.emulateMedia({ colorScheme: 'light' });
  await expect.poll(() => ground(page)).toBeGreaterThan(200);
});

test('a choice holds against the system, after a reload, and from the first byte on', async ({ as }) => {
  const page = await as('vera', { colorScheme: 'light' });
  await open(page, '/');
  await page.getByRole('button', { name: 'Dark colours' }).click();
  await expect.poll(() => ground(page)).toBeLessThan(60);

  // The server itself writes the choice, so there is no moment in the other colours.
  const html = await (await page.request.get('/')).text();
  expect(html).toMatch(/<html[^>]*data-theme="dark"/);
  await page.reload({ waitUntil: 'commit' });
  await expect(page.locator('html')).toHaveAttribute('data-theme', 'dark');
  await hydrated(page);
  await expect.poll(() => ground(page)).toBeLessThan(60);
  await expect(page.getByRole('button', { name: 'Dark colours' })).toHaveAttribute('aria-pressed', 'true');

  await page.getByRole('button', { name: 'System colours' }).click();
  await expect.poll(() => ground(page)).toBeGreaterThan(200);
  await page.reload();
  await hydrated(page);
  await expect(page.locator('html')).not.toHaveAttribute('data-theme');
});
