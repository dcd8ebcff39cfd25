// Every page in light and dark, wide and on a phone: accessible, quiet in the console, and nothing sticks out.
import { isAccessible } from '../support/axe';
import { askToDeploy, expect, hydrated, open, test } from '../support/portal';
import { allPages } from './support';

test.use({ allowed: [/status of 40[34]/] }); // two of the pages answer so

for (const colorScheme of ['light', 'dark'] as const) {
  for (const width of [1440, 390]) {
    test(`every page is accessible and fits, ${colorScheme} at ${width} pixels`, async ({ as }) => {
      // Two dozen loads of an unoptimised build, on two cores that two workers share. A single one that is slow still
      // fails, by the limits of going to a page and of its coming alive.
      test.setTimeout(420_000);
      const page = await as('lena', { colorScheme, viewport: { width, height: 900 } });
      for (const [name, path] of await allPages(page)) {
        await page.goto(path);
        await hydrated(page);
        await expect(page.locator('h1')).toHaveCount(1);
        // What opens is looked at, too.
        await page.locator('details').evaluateAll((all: HTMLDetailsElement[]) => all.forEach((one) => (one.open = true)));
        const sticksOut = await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
        expect(sticksOut, `${name} scrolls sideways`).toBe(0);
        await isAccessible(page, name);
      }
      await open(page, '/');
      const dialog = await askToDeploy(page, 'dev');
      await isAccessible(page, 'dialog');
      const box = await dialog.boundingBox();
      expect(box && box.x >= 0 && box.x + box.width <= width, 'the dialog fits').toBe(true);
    });
  }

  test(`the sign-in page is accessible, ${colorScheme}`, async ({ page }) => {
    await page.emulateMedia({ colorScheme });
    for (const width of [1440, 390]) {
      await page.setViewportSize({ width, height: 900 });
      for (const path of ['/sign-in', '/sign-in?error=no-role']) {
        await open(page, path);
        await isAccessible(page, `${path} at ${width} pixels`);
      }
    }
  });

  test(`a viewer's pages are accessible, ${colorScheme}`, async ({ as }) => {
    const page = await as('vera', { colorScheme });
    for (const path of ['/', '/deploy/projectmeats/dev', '/settings']) {
      await open(page, path);
      await isAccessible(page, path);
    }
  });
}
