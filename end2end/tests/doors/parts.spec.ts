// The browser's program comes in parts, each by a request of its own.
import { open, test } from '../support/portal';

test.use({ allowed: [/net::ERR_INTERNET_DISCONNECTED/] });

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
