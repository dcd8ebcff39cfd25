// The main job: a lead deploys from the board and watches it live.
import { askToDeploy, confirm, hydrated, lane, lines, mark, newestRun, open, state, step, wasKept } from '../support/portal';
import { Clone, devBackend, slackMessages } from '../support/lab';
import { harmless } from '../support/commits';
import { expect, test } from './test';

test('a lead deploys from the board and sees it happen live', async ({ as }) => {
  const clone = await Clone.of('dev');
  const commit = harmless(clone, 'Say what the sample is');
  clone.remove();
  const watcher = await as('vera');
  await open(watcher, '/');
  await mark(watcher);
  const page = await as('lena');
  await open(page, '/');
  const before = await newestRun(page);

  await test.step('the dialog shows the plan before anything starts', async () => {
    const dialog = await askToDeploy(page, 'dev');
    await expect(dialog).toContainText(commit.short);
    await expect(dialog).toContainText(commit.title);
    await expect(dialog).toContainText('check the workflow files in .github/workflows/');
    await expect(dialog).toContainText('build the image of backend');
    await expect(dialog).toContainText('run the tests of backend');
    await expect(dialog).toContainText('bring the database of backend up to date');
    await expect(dialog).toContainText('replace the container of frontend');
    await expect(dialog).toContainText('tell the team how it ended');
    expect(await newestRun(page), 'nothing has started').toBe(before);
  });

  const run = await test.step('the confirmation leads to the run', async () => {
    const dialog = page.getByRole('dialog');
    await dialog.getByLabel(/Reason/).fill('The first one of all');
    return confirm(page, dialog);
  });
  expect(run).toBeGreaterThan(before);
  await mark(page);

  await test.step('the board of somebody else shows the run at work, without a reload', async () => {
    await expect(lane(watcher, 'dev').getByRole('link', { name: `Run #${run}` }).first()).toBeVisible();
    await expect(lane(watcher, 'dev')).toContainText('Running');
  });

  await test.step('steps and log lines come live', async () => {
    await expect(step(page, 'Check out')).toHaveAttribute('data-state', 'succeeded', { timeout: 60_000 });
    await expect(step(page, 'Build backend')).toHaveAttribute('data-state', /running|succeeded/, { timeout: 60_000 });
    await expect(lines(page).first()).toBeVisible();
    await expect(step(page, 'Deploy backend')).toHaveAttribute('data-state', 'succeeded', { timeout: 420_000 });
    await expect(step(page, 'Deploy frontend')).toHaveAttribute('data-state', 'succeeded', { timeout: 120_000 });
    await expect(state(page)).toHaveText('Succeeded');
    await wasKept(page);
  });

  await test.step('the board turns to the new commit without a reload', async () => {
    const dev = lane(watcher, 'dev');
    await expect(dev.locator('.component').filter({ hasText: 'backend' })).toContainText(commit.short);
    await expect(dev.locator('.component').filter({ hasText: 'frontend' })).toContainText(commit.short);
    await expect(dev).toContainText('Up to date');
    await wasKept(watcher);
  });

  expect(await devBackend()).toMatchObject({ status: 200, commit: commit.sha });
  await expect.poll(async () => (await slackMessages()).filter((text) => text.includes(commit.short)).length).toBe(1);
});

test('what was never deployed says so', async ({ as }) => {
  const page = await as('vera');
  await open(page, '/');
  await expect(lane(page, 'prod')).toContainText('Nothing deployed yet');
  await hydrated(page);
});
