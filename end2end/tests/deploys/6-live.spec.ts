// A run that streams: leaving it, looking closer, losing the connection, losing the session, and all of it on a phone.
import type { Page, WebSocketRoute } from '@playwright/test';
import { isAccessible } from '../support/axe';
import { noisy, NOISE } from '../support/commits';
import { Clone } from '../support/lab';
import { askToDeploy, confirm, hydrated, lines, mark, open, signIn, state, step, wasKept } from '../support/portal';
import { expect, test } from './test';

/** A run whose build talks for minutes, on the page of somebody who has deployed it. */
async function stream(page: Page): Promise<number> {
  const clone = await Clone.of('dev');
  noisy(clone, 'Talk on and on');
  clone.remove();
  await open(page, '/');
  const run = await confirm(page, await askToDeploy(page, 'dev'));
  await expect(step(page, 'Build backend')).toHaveAttribute('data-state', 'running', { timeout: 60_000 });
  await expect(page.getByRole('log')).toContainText(/tick \d+/, { timeout: 60_000 });
  return run;
}

test('a streaming log can be looked at, and left, at any moment', async ({ as }) => {
  const page = await as('lena');
  const run = await stream(page);

  await test.step('a line that was chosen stays in sight while more come', async () => {
    await mark(page);
    await page.getByRole('log').scrollIntoViewIfNeeded();
    // At once: a line of a log that follows its end is gone before a mouse is there.
    const n = await lines(page).nth(-4).evaluate((line) => {
      line.querySelector<HTMLElement>('.line-n')?.click();
      return Number(line.id.slice(1));
    });
    await expect(page.locator(`#L${n}`)).toHaveClass(/line-target/);
    await expect(page.getByRole('button', { name: /\d+ new lines/ })).toBeVisible();
    await page.waitForTimeout(3_000);
    await expect(page.locator(`#L${n}`)).toBeInViewport();
  });

  await test.step('the arrow keys go from line to line', async () => {
    const target = Number((await page.locator('.line-target').getAttribute('id'))?.slice(1));
    await page.locator(`#L${target} .line-n`).focus();
    await page.keyboard.press('ArrowUp');
    await expect(page.locator(`#L${target - 1} .line-n`)).toBeFocused();
    await page.keyboard.press('Enter');
    await expect(page.locator(`#L${target - 1}`)).toHaveClass(/line-target/);
  });

  await test.step('another step and back: only what is new is sent', async () => {
    await step(page, 'Check out').click();
    await expect(page.getByRole('log')).not.toContainText(/tick \d+/);
    const connected = page.waitForEvent('websocket', (socket) => Number(/&line=(\d+)/.exec(socket.url())?.[1] ?? 0) > NOISE);
    await step(page, 'Build backend').click();
    await connected;
    await expect(page.getByRole('log')).toContainText(/tick \d+/);
  });

  await test.step('the page is left in the middle of it, again and again', async () => {
    for (let round = 0; round < 3; round += 1) {
      await page.getByRole('link', { name: 'Runs', exact: true }).click();
      await expect(page.getByRole('heading', { name: 'Runs' })).toBeVisible();
      await page.waitForTimeout(300);
      await page.goBack();
      await expect(page.getByRole('log')).toContainText(/tick \d+|line of noise/);
      await page.getByRole('button', { name: 'First error' }).click();
    }
    await page.getByRole('link', { name: 'Settings' }).click();
    await page.waitForTimeout(1_000);
    await wasKept(page);
  });

  await test.step('what is at work and what waits is accessible', async () => {
    const other = await as('ada');
    await open(other, `/runs/${run}`);
    await isAccessible(other, 'a running run');
    await other.getByRole('button', { name: 'Cancel' }).click();
    await isAccessible(other, 'the dialog that cancels');
    await other.keyboard.press('Escape');
    await open(other, '/');
    await confirm(other, await askToDeploy(other, 'dev'));
    await expect(state(other)).toHaveText('Queued');
    await isAccessible(other, 'a queued run');
  });
});

test.describe('connections', () => {
  // Chromium tells in the console of connections that are refused.
  test.use({ allowed: [/WebSocket connection to|status of 401/] });

  test('a connection that is lost is made again, without a gap; one whose session has ended says so', async ({ as, page, baseURL }) => {
    const run = await stream(await as('lena'));
    const sockets: WebSocketRoute[] = [];
    let open = true;
    await page.routeWebSocket(/\/live\/runs\//, (socket) => {
      sockets.push(socket);
      if (open) socket.connectToServer();
      else void socket.close({ code: 1001 });
    });
    await page.goto('/sign-in');
    await signIn(page, 'ada');
    await page.goto(`/runs/${run}`);
    await hydrated(page);
    await expect(page.getByText('Live', { exact: true })).toBeVisible();
    await mark(page);

    open = false;
    await sockets[sockets.length - 1].close({ code: 1001 });
    await expect(page.getByText('Connection lost, trying again')).toBeVisible();
    const seen = Number((await lines(page).last().getAttribute('id'))?.slice(1));
    await page.waitForTimeout(2_000);
    open = true;
    await expect(page.getByText('Live', { exact: true })).toBeVisible({ timeout: 40_000 });
    await expect.poll(async () => Number((await lines(page).last().getAttribute('id'))?.slice(1))).toBeGreaterThan(seen + 20);
    const numbers = await lines(page).evaluateAll((rows) => rows.map((row) => Number(row.id.slice(1))));
    expect(numbers.every((n, at) => at === 0 || n === numbers[at - 1] + 1), 'no line is missing').toBe(true);
    await wasKept(page);

    await page.request.post('/auth/sign-out', { headers: { Origin: baseURL ?? '' }, maxRedirects: 0 });
    await page.unrouteAll();
    await sockets[sockets.length - 1].close({ code: 1001 });
    await expect(page.getByText('Signed out: reload the page')).toBeVisible({ timeout: 40_000 });
  });
});

test('the last word of a run reaches a page also when the connection closes right behind it', async ({ as }) => {
  const lead = await as('lena');
  const run = await stream(lead);
  const page = await as('vera');
  const kept: (string | Buffer)[] = [];
  let keep = false;
  await page.routeWebSocket(/\/live\/runs\//, (socket) => {
    if (kept.length > 0) {
      for (const word of kept.splice(0)) socket.send(word);
      void socket.close({ code: 1000 });
      return;
    }
    socket.connectToServer().onMessage((word) => (keep ? void kept.push(word) : socket.send(word)));
  });
  await open(page, `/runs/${run}`);
  await expect(page.getByText('Live', { exact: true })).toBeVisible();
  await mark(page);

  // The portal closes once it has said everything; the page then asks for it again.
  keep = true;
  await lead.getByRole('button', { name: 'Cancel' }).click();
  await lead.getByRole('dialog').getByRole('button', { name: `Cancel run #${run}` }).click();
  await expect(state(lead)).toHaveText('Cancelled', { timeout: 60_000 });
  await expect(state(page)).toHaveText('Cancelled');
  await wasKept(page);
});

test('on a phone one deploys, reads the log and stops the run', async ({ as }) => {
  const page = await as('lena', { viewport: { width: 390, height: 844 }, hasTouch: true, isMobile: true });
  const run = await stream(page);
  const sticksOut = await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
  expect(sticksOut, 'nothing scrolls sideways').toBe(0);
  await page.getByRole('button', { name: 'First error' }).tap();
  await expect(page.locator('.line-target')).toContainText('ERROR: this line only looks like one');
  await page.getByRole('button', { name: 'Cancel' }).tap();
  await page.getByRole('dialog').getByRole('button', { name: `Cancel run #${run}` }).tap();
  await expect(state(page)).toHaveText('Cancelled', { timeout: 60_000 });
  await expect(page.getByText('Live', { exact: true })).toBeHidden();
});
