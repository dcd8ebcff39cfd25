// The browser's program comes in parts, each by a request of its own.
import { expect, open, test } from '../support/portal';

test.use({ allowed: [/net::ERR_INTERNET_DISCONNECTED|Failed to fetch dynamically imported module/] });

test('a part of the program that is lost on the way is asked for again', async ({ as }) => {
  const page = await as('vera');
  const lost = new Map<string, number>();
  await page.route(/\/pkg\/[^/]*\.wasm$/, (route) => {
    const url = route.request().url();
    const times = lost.get(url) ?? 0;
    lost.set(url, times + 1);
    // The first request may be the one that only loads ahead.
    return times < 2 ? route.abort('internetdisconnected') : route.fallback();
  });
  await open(page, '/runs');
});

test('a page whose script is lost on the way is loaded again, and not for ever', async ({ as }) => {
  const page = await as('vera');
  const lose = async (most: number) => {
    let lost = 0;
    await page.route(/\/pkg\/fairlead[^/]*\.js$/, (route) => {
      lost += 1;
      return lost <= most ? route.abort('internetdisconnected') : route.fallback();
    });
    return () => lost;
  };
  await lose(1);
  await open(page, '/runs');

  await page.unrouteAll();
  const lost = await lose(Infinity);
  await page.goto('/runs');
  await page.waitForTimeout(5_000);
  const some = lost();
  await page.waitForTimeout(3_000);
  expect(lost(), 'it has given up').toBe(some);
  await expect(page.getByRole('heading', { name: 'Runs' }), 'and shows what the server sent').toBeVisible();
});
