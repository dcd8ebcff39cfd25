// Takes a picture of every page and state in each of four looks. See screenshots.config.ts.
import { resolve } from 'node:path';
import type { Page } from '@playwright/test';
import { noisy } from './tests/support/commits';
import { Clone } from './tests/support/lab';
import { askToDeploy, confirm, expect, hydrated, lines, newestRun, open, state, step, stopRuns, test } from './tests/support/portal';

const folder = resolve(__dirname, '../target/screenshots');
const looks = [
  { colorScheme: 'light', width: 1440, height: 900 },
  { colorScheme: 'dark', width: 1440, height: 900 },
  { colorScheme: 'light', width: 390, height: 844 },
  { colorScheme: 'dark', width: 390, height: 844 },
] as const;

test.use({ allowed: [/status of 40[34]/] });

/** The same page in every look. */
async function shoot(page: Page, name: string, fullPage = true) {
  for (const { colorScheme, width, height } of looks) {
    await page.setViewportSize({ width, height });
    await page.emulateMedia({ colorScheme });
    // On a busy machine the picture would else be of the look before.
    await page.evaluate(() => new Promise((painted) => requestAnimationFrame(() => requestAnimationFrame(painted))));
    await page.screenshot({ path: `${folder}/${name}-${width}-${colorScheme}.png`, fullPage });
  }
  await page.setViewportSize({ width: looks[0].width, height: looks[0].height });
}

/** The newest run in a state, where there is one; of a commit with this title where one is given. */
async function runIn(page: Page, wanted: string, title = ''): Promise<string | undefined> {
  const answer = await page.request.get(`/api/v1/runs?state=${wanted}&limit=200`);
  const { runs } = await answer.json();
  const found = runs.find(({ commit }: { commit: { title: string } }) => commit.title.includes(title));
  return found && `/runs/${found.id}`;
}

test('pages without a run', async ({ page, as }) => {
  await open(page, '/sign-in');
  await shoot(page, 'sign-in');
  await open(page, '/sign-in?error=no-role');
  await shoot(page, 'sign-in-no-role');
  const lead = await as('lena');
  const empty = (await newestRun(lead)) === 0 ? '-empty' : '';
  const pages = { [`board${empty}`]: '/', [`runs${empty}`]: '/runs', 'runs-none': '/runs?state=running&environment=prod', [`settings${empty}`]: '/settings', deploy: '/deploy/projectmeats/dev', 'not-found': '/nowhere', 'no-rights': '/?project=secret-project' };
  for (const [name, path] of Object.entries(pages)) {
    await open(lead, path);
    await shoot(lead, name);
  }
  await open(lead, '/');
  await askToDeploy(lead, 'dev');
  await shoot(lead, 'dialog', false);
  const viewer = await as('vera');
  await open(viewer, '/');
  await shoot(viewer, 'board-viewer');
  await open(viewer, '/deploy/projectmeats/dev');
  await shoot(viewer, 'deploy-refused');
  await open(viewer, '/settings');
  await shoot(viewer, 'settings-viewer');
});

test('runs that have ended', async ({ as }) => {
  const page = await as('lena');
  for (const wanted of ['succeeded', 'failed', 'cancelled', 'superseded']) {
    const run = await runIn(page, wanted);
    if (!run) continue;
    await open(page, run);
    await shoot(page, `run-${wanted}`);
  }
});

test('what runs left, and the release', async ({ as }) => {
  const page = await as('lena');
  const tabs: [string, string, string][] = [
    ['annotations', 'failed', 'Report every night'],
    ['annotations', 'succeeded', ''],
    ['tests', 'failed', 'Count wrongly'],
    ['tests', 'succeeded', 'Tell what an order is'],
    ['artifacts', 'succeeded', 'Tell what an order is'],
    ['timeline', 'succeeded', 'Tell what an order is'],
    ['timeline', 'superseded', ''],
  ];
  for (const [tab, wanted, title] of tabs) {
    const run = await runIn(page, wanted, title);
    if (!run) continue;
    await open(page, `${run}?tab=${tab}`);
    await page.locator('details.output').evaluateAll((all: HTMLDetailsElement[]) => all.forEach((one) => (one.open = true)));
    await shoot(page, `run-${tab}-${wanted}`);
  }
  const lint = await runIn(page, 'failed', 'Report every night');
  if (lint) {
    await open(page, lint);
    await shoot(page, 'run-failed-lint');
  }
  for (const title of ['Tell what an order is', 'Count wrongly']) {
    const run = await runIn(page, 'succeeded', title);
    if (!run) continue;
    await open(page, run);
    await shoot(page, title === 'Count wrongly' ? 'run-overridden' : 'run-pushed');
    await page.getByRole('link', { name: 'Images, tests and places' }).click();
    await expect(page.getByRole('heading', { name: /^Release / })).toBeVisible();
    await shoot(page, title === 'Count wrongly' ? 'release-untested' : 'release');
  }
  const blocked = await runIn(page, 'failed', 'Count wrongly');
  if (!blocked) return;
  for (const login of ['lena', 'dev'] as const) {
    const reader = login === 'lena' ? page : await as(login);
    await open(reader, blocked);
    await reader.getByText('Deploy although its tests fail').click();
    await shoot(reader, login === 'lena' ? 'run-deploy-anyway' : 'run-deploy-anyway-refused');
  }
});

test('runs at work and waiting', async ({ as, baseURL }) => {
  const clone = await Clone.of('dev');
  noisy(clone, 'Make some noise for a picture');
  clone.remove();
  const [page, second] = [await as('lena'), await as('dev')];
  await stopRuns(page, baseURL ?? '');
  await open(page, '/');
  const run = await confirm(page, await askToDeploy(page, 'dev'));
  await expect(step(page, 'Build backend')).toHaveAttribute('data-state', 'running');
  await step(page, 'Build backend').click();
  await expect(lines(page).first()).toBeVisible();
  await expect(page.getByRole('log')).toContainText(/tick \d+/);
  await shoot(page, 'run-running');
  await open(second, '/');
  await confirm(second, await askToDeploy(second, 'dev'));
  await expect(state(second)).toHaveText('Queued');
  await shoot(second, 'run-queued');
  await open(second, '/');
  await shoot(second, 'board-at-work');
  await askToDeploy(second, 'dev');
  await shoot(second, 'dialog-behind', false);
  for (const number of [run + 1, run]) {
    await open(page, `/runs/${number}`);
    await page.getByRole('button', { name: 'Cancel' }).click();
    if (number === run) await shoot(page, 'dialog-cancel', false);
    await page.getByRole('button', { name: `Cancel run #${number}` }).click();
    await expect(state(page)).toHaveText('Cancelled', { timeout: 60_000 });
  }
  await hydrated(page);
});
