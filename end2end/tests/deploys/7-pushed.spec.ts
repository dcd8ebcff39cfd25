// Nobody presses anything: a push to the branch leads to a green board, and people get what was pushed.
import type { Page } from '@playwright/test';
import { documented, migrating } from '../support/commits';
import { Clone, deliverAgain, deliveryOf, devApi, devBackend, devPage, slackMessages } from '../support/lab';
import { lane, lines, mark, newestRun, open, state, step, wasKept } from '../support/portal';
import { expect, test } from './test';

test.use({ pushesStartRuns: true });

/** The whole way, as the steps are called. */
const WAY = [
  'Check out',
  'Lint',
  'Build backend',
  'Push backend to docr',
  'Push backend to ghcr',
  'Build frontend',
  'Push frontend to docr',
  'Push frontend to ghcr',
  'Test backend',
  'Test frontend',
  'Migrate backend',
  'Deploy backend',
  'Deploy frontend',
  'Notify',
];

test('a push leads by itself to a green board, and to the page that people see', async ({ as, browser, baseURL }) => {
  const clone = await Clone.of('dev');
  const board = await as('vera');
  await open(board, '/');
  await mark(board);
  const before = await newestRun(board);
  const commit = migrating(clone, 'Tell what an order is');

  const run = await test.step('the board shows its run without a reload', async () => {
    await expect.poll(() => newestRun(board), { timeout: 30_000 }).toBeGreaterThan(before);
    const number = await newestRun(board);
    await expect(lane(board, 'dev').getByRole('link', { name: `Run #${number}` }).first()).toBeVisible();
    return number;
  });

  const page = await as('lena');
  await test.step('it is the run of the pusher, and goes the whole way', async () => {
    await open(page, `/runs/${run}`);
    await mark(page);
    await expect(page.locator('.run-head')).toContainText('dev (push)');
    await expect(page.locator('.run-head')).toContainText(commit.title);
    await expect(state(page)).toHaveText('Succeeded', { timeout: 300_000 });
    for (const title of WAY) await expect(step(page, title), title).toHaveAttribute('data-state', 'succeeded');
    await step(page, 'Migrate backend').click();
    await expect(page.getByRole('log')).toContainText(`Applying orders.${commit.migration}`);
    await expect(lines(page).filter({ hasText: `to orders.${commit.migration}` })).toHaveCount(1);
    await wasKept(page);
  });

  await test.step('the board is green', async () => {
    const dev = lane(board, 'dev');
    for (const component of ['backend', 'frontend']) {
      await expect(dev.locator('.component').filter({ hasText: component })).toContainText(commit.short);
    }
    await expect(dev).toContainText('Up to date');
    await expect(dev.locator('.lane-foot')).toContainText('Succeeded');
    await wasKept(board);
  });

  await test.step("the droplet's web server gives people the page, its settings and the API of this commit", async () => {
    const served = await devPage();
    expect(served.status).toBe(200);
    expect(served.text).toContain('<title>ProjectMeats</title>');
    const settings = await devPage('/env-config.js');
    expect(settings.status).toBe(200);
    expect(settings.text).toContain(`API_BASE_URL: "${devApi}"`);
    expect(settings.text).toContain('ENVIRONMENT: "development"');
    const health = await devPage('/api/v1/health/');
    expect(health.status).toBe(200);
    // Not the commit: an image is of a tree, and other commits with the same tree run it too.
    expect(JSON.parse(health.text)).toMatchObject({ status: 'ok', database: 'ok' });
    expect(await devBackend()).toMatchObject({ status: 200, commit: commit.sha });

    const visitor = await browser.newPage();
    await visitor.goto(served.url);
    await expect(visitor.getByRole('heading', { name: 'ProjectMeats' })).toBeVisible();
    await expect(visitor.getByRole('status')).toHaveText('ok');
    await visitor.close();
  });

  await test.step('the team is told once, with the name of the pusher', async () => {
    const about = async () => (await slackMessages()).filter((text) => text.includes(commit.short));
    await expect.poll(async () => (await about()).length).toBe(1);
    expect((await about())[0]).toContain('dev (push)');
  });

  await test.step('the same delivery again, or one that GitHub has not signed, starts nothing', async () => {
    const delivery = await deliveryOf(commit.sha);
    const again = await deliverAgain(baseURL ?? '', delivery);
    expect(again.status).toBe(202);
    expect(JSON.parse(again.text)).toMatchObject({ known_already: true });
    const forged = await deliverAgain(baseURL ?? '', { ...delivery, guid: `${delivery.guid}-forged` }, 'another secret');
    expect(forged.status).toBe(401);
  });

  const docs = await test.step('a push that changes only documentation starts nothing, and says so', async () => {
    const docs = documented(clone, 'Write about orders');
    const outcomes = async () => {
      const answer = await page.request.get('/api/v1/projects/projectmeats/deliveries');
      const { deliveries } = await answer.json();
      return deliveries.find(({ push }: { push?: { after: string } }) => push?.after === docs.sha)?.outcomes;
    };
    const nothing = { environment: 'dev', outcome: 'ignored', run: null, reason: expect.stringContaining('README.md') };
    await expect.poll(outcomes, { timeout: 30_000 }).toEqual([nothing]);
    await expect(lane(board, 'dev')).toContainText('1 commit to deploy');
    await expect(lane(board, 'dev')).toContainText(`The push of ${docs.short} started no run: only \`README.md\` was changed`);
    await wasKept(board);
    return docs;
  });

  const pushes = (page: Page, short: string) => page.getByRole('region', { name: 'Pushes' }).getByRole('row').filter({ hasText: short });
  await test.step('the settings tell what came of each push', async () => {
    await open(board, '/settings');
    await expect(pushes(board, commit.short)).toContainText(commit.title);
    await expect(pushes(board, commit.short)).toContainText('development');
    await expect(pushes(board, commit.short).getByRole('link', { name: `Run #${run}` })).toBeVisible();
    await expect(pushes(board, docs.short)).toContainText('Ignored');
    await expect(pushes(board, docs.short)).toContainText('only `README.md` was changed');
    const again = pushes(board, docs.short).getByRole('button', { name: /^Act on it again/ });
    await expect(again).toBeDisabled();
    await expect(again).toHaveAccessibleDescription(/vera may not deliver again: it needs the role lead/);
  });

  await test.step('a lead has one acted on again, also without JavaScript', async () => {
    const plain = await as('lena', { javaScriptEnabled: false });
    await plain.goto('/settings');
    for (const [lead, count] of [[page, 2], [plain, 3]] as const) {
      if (lead === page) await open(lead, '/settings');
      await pushes(lead, docs.short).first().getByRole('button', { name: /^Act on it again/ }).click();
      await expect(lead).toHaveURL(/\/settings\?project=projectmeats#pushes$/);
      await expect(pushes(lead, docs.short).filter({ hasText: 'Asked for again' })).toHaveCount(count - 1);
    }
    await expect(pushes(page, docs.short).first()).toContainText('Ignored');
  });

  // Deliveries are acted on in the order in which they came: whatever the repeated one were to start would be there now.
  expect(await newestRun(page)).toBe(run);
  clone.remove();
});
