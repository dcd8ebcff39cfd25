// Opens a run's page whose log has a million lines, scrolls through it, and prints what that took as JSON.
// usage: COOKIE=name=value CHROMIUM=/usr/bin/chromium node open_log.mjs URL
import { readFileSync } from 'node:fs';
import { chromium } from '@playwright/test';

const url = process.argv[2];
const [name, ...value] = process.env.COOKIE.split('=');
const browser = await chromium.launch({
  executablePath: process.env.CHROMIUM,
  args: ['--no-sandbox', '--disable-gpu', '--disable-background-networking'],
});
try {
  const context = await browser.newContext({ viewport: { width: 1440, height: 900 } });
  await context.addCookies([{ name, value: value.join('='), url: new URL(url).origin }]);
  const page = await context.newPage();
  const system = await browser.newBrowserCDPSession();
  const tab = await context.newCDPSession(page);
  await tab.send('Performance.enable');

  // Of the renderers the tab's is the largest: a spare one is empty.
  const privateMb = async () => {
    const { processInfo } = await system.send('SystemInfo.getProcessInfo');
    const renderers = processInfo.filter((process) => process.type === 'renderer');
    const anonymous = renderers.map(({ id }) => /RssAnon:\s+(\d+)/.exec(readFileSync(`/proc/${id}/status`, 'utf8'))[1] / 1024);
    return Math.max(...anonymous);
  };
  const heapMb = async () => {
    const { metrics } = await tab.send('Performance.getMetrics');
    return metrics.find((metric) => metric.name === 'JSHeapUsedSize').value / 1e6;
  };

  await page.addInitScript(() => {
    const seen = () => {
      if (!document.querySelector('.log .line .line-t')) return requestAnimationFrame(seen);
      requestAnimationFrame(() => { window.firstLines = performance.now(); });
    };
    requestAnimationFrame(seen);
  });
  const emptyMb = await privateMb();
  await page.goto(url, { waitUntil: 'commit' });
  await page.waitForFunction(() => window.firstLines);
  await page.waitForFunction(() => document.querySelector('.log-spacer').style.height.endsWith('px'));
  const times = await page.evaluate(() => ({ first: window.firstLines, alive: performance.now() }));

  let heap = await heapMb();
  const openedMb = await privateMb();
  let peakMb = openedMb;
  const filled = () => [...document.querySelectorAll('.log .line')].every((line) => line.querySelector('.line-t'));
  for (let stop = 1; stop <= 40; stop += 1) {
    await page.evaluate((share) => {
      const scroller = document.querySelector('.log-scroll');
      scroller.scrollTop = scroller.scrollHeight * share;
    }, stop / 40);
    await page.waitForTimeout(50);
    await page.waitForFunction(filled);
    heap = Math.max(heap, await heapMb());
    peakMb = Math.max(peakMb, await privateMb());
  }
  // What was looked at and is not held any more, the browser collects when it likes.
  await tab.send('HeapProfiler.collectGarbage');
  await page.waitForTimeout(500);
  const heldMb = await privateMb();
  const end = await page.evaluate(async () => {
    const last = [...document.querySelectorAll('.log .line')].at(-1);
    // The page's program is a module: importing it again gives the instance that runs.
    const program = await import(document.querySelector('link[rel=modulepreload]').href);
    const { memory } = await program.default();
    return { number: Number(last.id.slice(1)), text: last.innerText, wasm: memory.buffer.byteLength / 1e6 };
  });
  console.log(JSON.stringify({
    first_lines_ms: times.first,
    alive_ms: times.alive,
    total: end.number,
    last_line: end.text,
    heap_mb: heap,
    wasm_mb: end.wasm,
    opened_mb: openedMb,
    peak_mb: peakMb,
    held_mb: heldMb,
    empty_mb: emptyMb,
  }));
} finally {
  await browser.close();
}
