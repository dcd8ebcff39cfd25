// The tabs of a run's page, on runs that the deploys' tests left: what the steps found, tested and wrote besides their logs,
// and whom the run told.
import { readFileSync } from 'node:fs';
import type { Page } from '@playwright/test';
import { FAILING, WORKFLOW } from '../support/commits';
import { expect, hydrated, mark, open, step, test, wasKept } from '../support/portal';
import { runThat } from './support';

const tab = (page: Page, name: string) => page.getByRole('navigation', { name: 'About this run' }).getByRole('link', { name });

/** What is said of one step. */
const card = (page: Page, name: string) => page.locator('section.card').filter({ has: page.getByRole('heading', { name }) });

/** Whom the run told. */
const messages = (page: Page) => page.getByRole('region', { name: 'Messages' });

/** A text that a step left. */
const artifact = (page: Page, name: string) => page.locator('details.output').filter({ hasText: name });

test('each tab has an address, and choosing one loads no page', async ({ as }) => {
  const page = await as('vera');
  const run = await runThat(page, 'succeeded', 'Tell what an order is');
  await open(page, run);
  await mark(page);
  await expect(tab(page, 'Log')).toHaveAttribute('aria-current', 'page');
  for (const name of ['Annotations', 'Tests', 'Artifacts', 'Timeline']) {
    await tab(page, name).click();
    await expect(page).toHaveURL(`${run}?tab=${name.toLowerCase()}`);
    await expect(tab(page, name)).toHaveAttribute('aria-current', 'page');
    await expect(page.getByRole('log')).toHaveCount(0);
  }
  await page.goBack();
  await expect(tab(page, 'Artifacts')).toHaveAttribute('aria-current', 'page');
  await step(page, 'Deploy backend').click();
  await expect(page.getByRole('log')).toBeVisible();
  await expect(tab(page, 'Log')).toHaveAttribute('aria-current', 'page');
  await wasKept(page);
});

test('tests are counted, and those that were not run again say where they passed', async ({ as }) => {
  const page = await as('vera');
  await open(page, `${await runThat(page, 'succeeded', 'Tell what an order is')}?tab=tests`);
  await expect(card(page, 'Test backend')).toContainText(/\d+ passed/);
  await expect(card(page, 'Test backend')).not.toContainText('failed');
  const frontend = card(page, 'Test frontend');
  await expect(frontend).toContainText('Passed on the same source in run');
  await frontend.getByRole('link', { name: /^#\d+$/ }).click();
  await expect(page).toHaveURL(/\/runs\/\d+\?tab=tests$/);
  await expect(card(page, 'Test frontend')).toContainText(/\d+ passed/);
});

test('a test that failed is named with what it said', async ({ as }) => {
  const page = await as('vera');
  await open(page, await runThat(page, 'failed', 'Count wrongly'));
  await expect(tab(page, 'Tests')).toContainText('1 failed');
  await tab(page, 'Tests').click();
  const backend = card(page, 'Test backend');
  await expect(backend).toContainText('1 failed');
  await expect(backend).toContainText(/\d+ passed/);
  const failed = backend.getByRole('listitem').filter({ hasText: FAILING.name });
  await expect(failed).toHaveCount(1);
  await expect(failed).toContainText(FAILING.says);
});

test('an annotation says what is wrong, and leads to the line', async ({ as }) => {
  const page = await as('vera');
  await open(page, `${await runThat(page, 'failed', 'Report every night')}?tab=annotations`);
  const { path, line, column, rule } = WORKFLOW;
  const finding = page.locator('.finding').filter({ hasText: rule });
  await expect(finding).toHaveCount(1);
  await expect(finding).toContainText('error');
  await expect(finding).toContainText('`report` needs `runs-on`');
  const place = finding.getByRole('link', { name: `${path}:${line}:${column}` });
  await expect(place).toHaveAttribute('href', new RegExp(`/blob/[0-9a-f]{40}/${path.replaceAll('.', '\\.')}#L${line}$`));
  await tab(page, 'Tests').click();
  await expect(page.getByText('No test result')).toBeVisible();
});

test('artifacts are shown and saved, and so are logs', async ({ as }) => {
  const page = await as('vera');
  await open(page, `${await runThat(page, 'succeeded', 'Tell what an order is')}?tab=artifacts`);

  await test.step("the web server's configuration, without what is secret in it", async () => {
    const conf = artifact(page, 'pm-frontend.conf');
    await conf.locator('summary').click();
    await expect(conf.locator('pre')).toContainText('proxy_pass http://127.0.0.1:8080;');
    await expect(conf.locator('pre')).toContainText('proxy_pass http://[REDACTED]:8000;');
    const saving = page.waitForEvent('download');
    await conf.getByRole('link', { name: 'Save pm-frontend.conf' }).click();
    const saved = await saving;
    expect(saved.suggestedFilename()).toBe('pm-frontend.conf');
    expect(readFileSync(await saved.path(), 'utf8')).toBe(await conf.locator('pre').textContent());
  });

  await test.step('what the migration was going to do, and what the run was', async () => {
    const plan = artifact(page, 'migration plan');
    await plan.locator('summary').click();
    await expect(plan.locator('pre')).toContainText('orders.0003_comment_');
    const whole = artifact(page, 'as it was shown before the run');
    await whole.locator('summary').click();
    await expect(whole).toContainText('bring the database of backend up to date');
  });

  await test.step('the log of a step as a file', async () => {
    const logs = page.getByRole('region', { name: /^Logs/ });
    await expect(logs.getByRole('link', { name: 'Lint' })).toBeVisible();
    const href = await logs.getByRole('link', { name: 'Migrate backend' }).getAttribute('href');
    const answer = await page.request.get(href ?? '');
    expect(answer.status()).toBe(200);
    expect(answer.headers()['content-type']).toContain('text/plain');
    expect(answer.headers()['content-disposition']).toContain('attachment');
    expect(await answer.text()).toContain('Applying orders.0003_comment_');
  });
});

test('the timeline shows where the time went, against how long it usually takes', async ({ as }) => {
  const page = await as('vera');
  await open(page, `${await runThat(page, 'succeeded', 'Tell what an order is')}?tab=timeline`);
  const rows = page.getByRole('table', { name: /How long each step took/ }).locator('tbody tr');
  const row = (title: string) => rows.filter({ has: page.getByRole('cell', { name: title }) });
  for (const title of ['Lint', 'Build backend', 'Test backend', 'Migrate backend', 'Deploy frontend', 'Notify']) {
    await expect(row(title), title).toHaveCount(1);
    await expect(row(title).locator('.timeline-took'), title).toHaveCount(1);
  }
  const [took, usual] = [2, 3].map((column) => row('Deploy backend').getByRole('cell').nth(column));
  await expect(took).toHaveText(/^\d/);
  await expect(usual, 'it was deployed before').toHaveText(/^\d/);
  const start = (title: string) => row(title).locator('.timeline-took').getAttribute('x').then(Number);
  expect(await start('Build backend')).toBeLessThan(await start('Deploy backend'));
  expect(await start('Deploy backend')).toBeLessThan(await start('Deploy frontend'));
});

test('the messages say whom the run told, and a lead has one sent again', async ({ as }) => {
  const [page, lead] = [await as('vera'), await as('lena')];
  const address = `${await runThat(page, 'succeeded', 'Tell what an order is')}?tab=timeline`;
  const tries = messages(lead).locator('tbody tr');
  await open(page, address);
  await expect(messages(page).getByRole('heading', { name: 'Slack' })).toBeVisible();
  await expect(messages(page)).toContainText('Sent');
  await expect(messages(page).locator('tbody tr').first()).toContainText('it was taken');
  const refused = messages(page).getByRole('button', { name: 'Send again to Slack' });
  await expect(refused).toBeDisabled();
  await expect(refused).toHaveAccessibleDescription(/vera may not deliver again: it needs the role lead/);

  await open(lead, address);
  await mark(lead);
  const before = await tries.count();
  await messages(lead).getByRole('button', { name: 'Send again to Slack' }).click();
  await expect(lead).toHaveURL(/\?tab=timeline#messages$/);
  await expect(tries).toHaveCount(before + 1);
  await expect(tries.last()).toContainText('it was taken');
  await expect(messages(lead).locator('.badge')).toHaveText('Sent');
  await wasKept(lead);
});

test.describe('without JavaScript', () => {
  test.use({ javaScriptEnabled: false });

  test('the tabs are complete', async ({ as }) => {
    const page = await as('vera');
    await page.goto(await runThat(page, 'failed', 'Count wrongly'));
    await tab(page, 'Tests').click();
    await expect(card(page, 'Test backend')).toContainText(FAILING.name);
    await tab(page, 'Timeline').click();
    await expect(page.getByRole('table', { name: /How long each step took/ })).toContainText('Test backend');
    await expect(messages(page)).toContainText('it was taken');
    await tab(page, 'Artifacts').click();
    await expect(page.getByRole('region', { name: /^Logs/ })).toContainText('Test backend');
    await tab(page, 'Annotations').click();
    await expect(page.getByText('No annotation')).toBeVisible();
  });
});

test('a run that was stopped has nothing to show, and says so', async ({ as }) => {
  const page = await as('vera');
  await page.goto(`${await runThat(page, 'superseded')}?tab=timeline`);
  await hydrated(page);
  await expect(page.getByText('Nothing has started yet')).toBeVisible();
  await tab(page, 'Annotations').click();
  await expect(page.getByText('No annotation')).toBeVisible();
});
