// Every page in light and dark, wide and on a phone: accessible, quiet in the console, and nothing sticks out.
import { isAccessible } from '../support/axe';
import { askToDeploy, expect, hydrated, open, test } from '../support/portal';
import { allPages } from './support';

test.use({ allowed: [/status of (40[349]|500)/] }); // some of the pages answer so

/** What stands in the board's place when the portal cannot give it: the heading, and what the portal answers. */
const TROUBLE: [string, number, object][] = [
  ['The manifest has problems', 409, { error: 'manifest', detail: ['shop.toml:12:1: unknown key `brunch`', 'shop.toml:14:1: missing key `branch`'] }],
  ['Something went wrong', 500, { error: 'internal', detail: '01HZX' }],
];

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

  test(`a page that cannot be given is accessible, ${colorScheme}`, async ({ as }) => {
    const page = await as('vera', { colorScheme });
    for (const [heading, status, json] of TROUBLE) {
      await open(page, '/settings');
      await page.route(/\/ui\/board/, (route) => route.fulfill({ status, json }));
      await page.getByRole('link', { name: 'Board', exact: true }).click();
      await expect(page.getByRole('alert')).toContainText(heading);
      for (const width of [390, 1440]) {
        await page.setViewportSize({ width, height: 900 });
        await isAccessible(page, `${heading} at ${width} pixels`);
      }
      await page.unrouteAll();
    }
  });

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
