// Watches a run's page while the bench's app prints, says "ready" when it is alive, and prints as JSON how long each line
// that was shown took from the app's stdout to the frame in which it stood there.
// usage: COOKIE=name=value CHROMIUM=/usr/bin/chromium node live_page.mjs URL LINES
import { chromium } from '@playwright/test';

const [url, lines] = process.argv.slice(2);
const [name, ...value] = process.env.COOKIE.split('=');
const browser = await chromium.launch({
  executablePath: process.env.CHROMIUM,
  args: ['--no-sandbox', '--disable-gpu', '--disable-background-networking'],
});
try {
  const context = await browser.newContext({ viewport: { width: 1440, height: 900 } });
  await context.addCookies([{ name, value: value.join('='), url: new URL(url).origin }]);
  const page = await context.newPage();
  await page.goto(url);
  await page.waitForFunction(() => document.querySelector('.switch [aria-pressed=true]'));
  await page.evaluate((last) => {
    const shown = new Map();
    window.shown = shown;
    const look = () => {
      const now = Date.now();
      for (const text of document.querySelectorAll('.log .line-x')) {
        // The number of the line, and when it was printed in nanoseconds since 1970 (see app.py).
        const [, number, ns] = /^(\d+) (\d{19}) x/.exec(text.textContent) ?? [];
        if (number && !shown.has(number)) shown.set(number, { number: Number(number), at: Number(ns) / 1e6, now });
      }
      window.over = shown.has(String(last));
      requestAnimationFrame(look);
    };
    requestAnimationFrame(look);
  }, lines - 1);
  console.log('ready');
  await page.waitForFunction(() => window.over, undefined, { timeout: 120_000 });
  const shown = await page.evaluate(() => [...window.shown.values()]);
  shown.sort((one, other) => one.number - other.number);
  const [first, last] = [shown[0], shown.at(-1)];
  console.log(JSON.stringify({
    delays_ms: shown.map(({ at, now }) => now - at),
    rate: (last.number - first.number) / ((last.at - first.at) / 1000),
  }));
} finally {
  await browser.close();
}
