// Getting about: links, back and forward, filters, and pages without JavaScript.
import { expect, hydrated, lines, mark, open, signIn, state, step, test, wasKept } from '../support/portal';
import { runThat } from './support';

test('links, back and forward work without loading pages anew', async ({ as }) => {
  const page = await as('vera');
  await open(page, '/');
  await mark(page);
  await page.getByRole('link', { name: 'Runs', exact: true }).click();
  await expect(page.getByRole('heading', { name: 'Runs' })).toBeVisible();
  await page.getByRole('link', { name: /^#\d+$/ }).first().click();
  await expect(page.getByRole('heading', { name: /^Run #\d+$/ })).toBeVisible();
  await step(page, 'Check out').click();
  await expect(step(page, 'Check out')).toHaveAttribute('aria-current', 'step');
  await page.goBack();
  await expect(page).toHaveURL(/\/runs\/\d+$/);
  await page.goBack();
  await expect(page.getByRole('heading', { name: 'Runs' })).toBeVisible();
  await page.goBack();
  await expect(page.getByRole('heading', { name: 'ProjectMeats' })).toBeVisible();
  await expect(page.locator('.lane')).toHaveCount(3);
  await page.goForward();
  await expect(page.getByRole('heading', { name: 'Runs' })).toBeVisible();
  await page.getByRole('link', { name: 'Settings' }).click();
  await expect(page.getByRole('heading', { name: /Settings of ProjectMeats/ })).toBeVisible();
  await wasKept(page);
});

test('runs are filtered by the address and by the form', async ({ as }) => {
  const page = await as('vera');
  await open(page, '/runs?state=failed');
  const rows = page.locator('tbody tr');
  await expect(rows.first()).toContainText('Failed');
  await expect(rows.filter({ hasNotText: 'Failed' })).toHaveCount(0);
  await page.getByLabel('State').selectOption('superseded');
  await page.getByRole('button', { name: /Show|Filter|Apply/ }).click();
  await expect(page).toHaveURL(/state=superseded/);
  await expect(rows.first()).toContainText('Superseded');
  await page.goBack();
  await expect(rows.first()).toContainText('Failed');
});

test('settings show the manifest, who is signed in, and how roles are given', async ({ as }) => {
  const page = await as('vera');
  await open(page, '/settings');
  await expect(page.locator('pre')).toContainText('[environments.dev]');
  await expect(page.getByRole('region', { name: 'Signed in' })).toContainText('lena');
  await expect(page.getByRole('region', { name: 'How roles are given' })).toContainText('meats-central/leads');
  await expect(page.getByRole('region', { name: 'Sessions' })).toContainText('This browser');
});

test('a page that comes without a load has the focus, and choosing a step leaves the page where it is', async ({ as }) => {
  const page = await as('vera', { viewport: { width: 1440, height: 500 } });
  await open(page, '/');
  await page.getByRole('link', { name: 'Runs', exact: true }).click();
  await expect(page.getByRole('heading', { name: 'Runs' })).toBeVisible();
  await expect(page.locator('#page')).toBeFocused();
  await page.goto(await runThat(page, 'succeeded'));
  await hydrated(page);
  await step(page, 'Deploy backend').scrollIntoViewIfNeeded();
  await page.evaluate(() => window.scrollTo(0, 120));
  const before = await page.evaluate(() => window.scrollY);
  expect(before).toBeGreaterThan(0);
  await step(page, 'Deploy backend').click();
  await expect(step(page, 'Deploy backend')).toHaveAttribute('aria-current', 'step');
  await expect.poll(() => page.evaluate(() => window.scrollY)).toBe(before);
});

test('a session in another browser is listed, and ended there at once', async ({ page, browser, baseURL }) => {
  await page.goto('/sign-in');
  await signIn(page, 'ada');
  await hydrated(page);
  const context = await browser.newContext({ baseURL });
  const other = await context.newPage();
  await other.goto('/sign-in');
  await signIn(other, 'ada');
  await hydrated(other);
  await open(page, '/settings');
  const sessions = page.getByRole('region', { name: 'Sessions' });
  const rows = sessions.getByRole('row').filter({ hasText: 'ada' });
  await expect(rows.filter({ hasText: 'This browser' })).toHaveCount(1);
  const before = await rows.count();
  await sessions.getByRole('button', { name: /^End the session of ada/ }).first().click();
  await expect(rows).toHaveCount(before - 1);
  await other.goto('/runs');
  await expect(other).toHaveURL(/\/sign-in/);
  await context.close();
});

test('times say how long ago and, on demand, exactly when', async ({ as }) => {
  const page = await as('vera');
  await open(page, '/runs');
  const time = page.locator('tbody time').first();
  await expect(time).toHaveText(/ago|now/);
  await expect(time).toHaveAttribute('title', /20\d\d/);
  await expect(time).toHaveAttribute('datetime', /^20\d\d-\d\d-\d\dT/);
});

test.describe('without JavaScript', () => {
  test.use({ javaScriptEnabled: false });

  test('board, runs, a run with its log, and settings are complete', async ({ as }) => {
    const page = await as('lena');
    await page.goto('/');
    await expect(page.locator('.lane')).toHaveCount(3);
    await expect(page.locator('.component').first()).toContainText(/[0-9a-f]{7}/);
    await page.getByRole('link', { name: 'Runs', exact: true }).click();
    await expect(page.locator('tbody tr').first()).toContainText(/Succeeded|Failed|Cancelled/);

    await page.goto(await runThat(page, 'failed', 'Break the settings'));
    await expect(state(page)).toHaveText('Failed');
    await expect(page.getByRole('region', { name: 'Why it failed' })).toContainText('What next');
    await expect(page.getByRole('log')).toContainText('the settings are broken on purpose');

    await page.goto(await runThat(page, 'cancelled', 'Make some noise'));
    await step(page, 'Build backend').click();
    await expect(lines(page).first()).toBeVisible();
    await expect(page.getByText(/Without JavaScript this page shows the first 500 lines/)).toBeVisible();
    await expect(page.getByRole('link', { name: 'Raw' })).toBeVisible();

    await page.goto('/settings');
    await expect(page.locator('pre')).toContainText('name = "projectmeats"');
    await expect(page.locator('.needs-js').first()).toBeHidden();
  });
});
