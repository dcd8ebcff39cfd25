// The log viewer, on the long and colourful log that a test of the deploys left behind.
import type { Page } from '@playwright/test';
import { NOISE } from '../support/commits';
import { expect, hydrated, lines, step, test } from '../support/portal';
import { runThat } from './support';

/** Opens the log; the number of its build step with it. */
async function openNoise(page: Page): Promise<string> {
  const run = await runThat(page, 'cancelled', 'Make some noise');
  await page.goto(run);
  await hydrated(page);
  await step(page, 'Build backend').click();
  await expect(page).toHaveURL(/\?step=\d+$/);
  await expect(lines(page).first()).toBeVisible();
  return new URL(page.url()).pathname + new URL(page.url()).search;
}

const log = (page: Page) => page.getByRole('log');

/** Where a line stands, by its text, found through the search. */
async function find(page: Page, text: string): Promise<number> {
  await page.getByRole('searchbox', { name: 'Search this log' }).fill(text);
  await page.keyboard.press('Enter');
  const hit = lines(page).filter({ hasText: text }).first();
  await expect(hit).toBeVisible();
  return Number((await hit.getAttribute('id'))?.slice(1));
}

test('only what is in sight is rendered, and scrolling brings the rest', async ({ as }) => {
  const page = await as('vera');
  await openNoise(page);
  await expect.poll(() => lines(page).count()).toBeLessThan(500);
  await log(page).evaluate((element) => element.scrollTo({ top: element.scrollHeight }));
  await expect(log(page)).toContainText(/tick \d+/);
  await log(page).evaluate((element) => element.scrollTo({ top: element.scrollHeight / 2 }));
  await expect(log(page)).toContainText(/line of noise \d+/);
});

test('a search goes from hit to hit', async ({ as }) => {
  const page = await as('vera');
  await openNoise(page);
  await log(page).focus();
  await page.keyboard.press('/');
  const field = page.getByRole('searchbox', { name: 'Search this log' });
  await expect(field).toBeFocused();

  await field.fill('NEEDLE in the');
  await page.keyboard.press('Enter');
  await expect(page.locator('.log mark').first()).toBeInViewport();
  await expect(page.locator('.log mark').first()).toHaveText('needle in the');

  await field.fill('line of noise 77');
  await page.keyboard.press('Enter');
  await expect(page.locator('.log-found')).toHaveText(/1 of \d+/);
  await page.getByRole('button', { name: 'Next hit' }).click();
  await expect(page.locator('.log-found')).toHaveText(/2 of \d+/);
  await page.getByRole('button', { name: 'Previous hit' }).click();
  await page.getByRole('button', { name: 'Previous hit' }).click();
  await expect(page.locator('.log-found'), 'around the end').toHaveText(/^(\d+) of \1/);

  await field.fill('not to be found anywhere');
  await page.keyboard.press('Enter');
  await expect(page.locator('.log-found')).toHaveText(/no/i);
});

test('one click leads to the first line that looks like an error', async ({ as }) => {
  const page = await as('vera');
  await openNoise(page);
  await page.getByRole('button', { name: 'First error' }).click();
  await expect(page.locator('.line-target')).toBeInViewport();
  await expect(page.locator('.line-target')).toContainText('ERROR: this line only looks like one');
});

test('a line has an address of its own', async ({ as }) => {
  const page = await as('vera');
  const address = await openNoise(page);
  const n = await find(page, 'needle in the haystack');
  await page.getByRole('link', { name: `Link to line ${n}`, exact: true }).click();
  await expect(page).toHaveURL(new RegExp(`#L${n}$`));

  const reader = await as('dev');
  await reader.goto(`${address}#L${n}`);
  await hydrated(reader);
  await expect(reader.locator(`#L${n}`)).toBeInViewport();
  await expect(reader.locator(`#L${n}`)).toHaveClass(/line-target/);
  await expect(reader.locator(`#L${n}`)).toContainText('needle in the haystack');
});

test('colours, overwritten progress, markup and very long lines are shown as what they are', async ({ as }) => {
  const page = await as('vera');
  await openNoise(page);
  await find(page, 'green as grass');
  const coloured = lines(page).filter({ hasText: 'green as grass' }).last();
  await expect(coloured).not.toContainText('[32m');
  await expect(coloured).toContainText('and plain');

  await find(page, 'not markup');
  await expect(lines(page).filter({ hasText: '<b>not markup</b> & more' }).first()).toBeVisible();

  const long = await find(page, 'xxxxxxxx');
  const row = page.locator(`#L${long}`);
  await row.getByRole('button', { name: /show all 6,000 characters/ }).click();
  await expect.poll(async () => (await row.locator('.line-x').innerText()).length).toBe(6_000);

  await find(page, 'all the way');
  await expect(lines(page).filter({ hasText: 'all the way' }).last()).not.toContainText('half way');
});

test('lines wrap or do not, and times are shown or are not', async ({ as }) => {
  const page = await as('vera');
  await openNoise(page);
  const height = async () => (await lines(page).nth(3).boundingBox())?.height ?? 0;
  await expect.poll(height).toBeLessThan(30);
  const sideways = () => log(page).evaluate((element) => element.scrollWidth - element.clientWidth);
  await find(page, 'xxxxxxxx');
  await expect.poll(sideways).toBeGreaterThan(0);
  const wrap = page.getByRole('button', { name: 'Wrap' });
  await wrap.click();
  await expect(wrap).toHaveAttribute('aria-pressed', 'true');
  await expect.poll(sideways).toBe(0);

  const times = page.getByRole('button', { name: 'Times' });
  const before = await lines(page).first().locator('time').isVisible();
  await times.click();
  await expect(lines(page).first().locator('time')).toBeVisible({ visible: !before });
});

test('the raw log has every line', async ({ as }) => {
  const page = await as('vera');
  await openNoise(page);
  const raw = page.getByRole('link', { name: 'Raw' });
  const answer = await page.request.get((await raw.getAttribute('href')) ?? '');
  expect(answer.status()).toBe(200);
  expect(answer.headers()['content-type']).toContain('text/plain');
  const text = await answer.text();
  for (let n = 1; n <= NOISE; n += 1) expect(text.split(`line of noise ${n}\n`).length, `line ${n} once`).toBe(2);
  expect(text).toContain('needle in the haystack');
});
