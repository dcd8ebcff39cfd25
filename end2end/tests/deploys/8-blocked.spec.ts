// What holds up a run before anything is touched: a workflow file with an error, and a test that fails.
import { FAILING, forgetful, miscounting, WORKFLOW } from '../support/commits';
import { Clone, devBackend } from '../support/lab';
import { askToDeploy, confirm, mark, newestRun, open, runOf, state, step, wasKept } from '../support/portal';
import { answersAgain, expect, test } from './test';

test('a workflow file with an error ends the run before anything is built', async ({ as }) => {
  const clone = await Clone.of('dev');
  forgetful(clone, 'Report every night');
  clone.remove();
  const page = await as('dev');
  await open(page, '/');
  await confirm(page, await askToDeploy(page, 'dev'));
  await mark(page);
  await expect(state(page)).toHaveText('Failed', { timeout: 60_000 });
  await expect(step(page, 'Lint')).toHaveAttribute('data-state', 'failed');
  for (const title of ['Build backend', 'Build frontend', 'Test backend', 'Migrate backend', 'Deploy backend']) {
    await expect(step(page, title), title).toHaveAttribute('data-state', 'skipped');
  }
  const box = page.getByRole('region', { name: 'Why it failed' });
  await expect(box).toContainText('Lint failed');
  await expect(box).toContainText(`${WORKFLOW.path}:${WORKFLOW.line}:${WORKFLOW.column}`);
  await expect(box).toContainText('What next: nothing was built');

  await test.step('the annotations came while the page was open', async () => {
    const tab = page.getByRole('navigation', { name: 'About this run' }).getByRole('link', { name: 'Annotations' });
    await expect(tab).toContainText('1');
    await tab.click();
    await expect(page).toHaveURL(/\?tab=annotations$/);
    await expect(page.locator('.finding').filter({ hasText: WORKFLOW.rule })).toContainText('`report` needs `runs-on`');
    await wasKept(page);
  });

  await test.step('tests were not what held it up, so nobody is offered to deploy all the same', async () => {
    const lead = await as('lena');
    await open(lead, `/runs/${runOf(page)}`);
    await expect(lead.getByText('Deploy although its tests fail')).toHaveCount(0);
  });
});

test('a test that fails holds up the deploy, and only a lead deploys all the same, with a reason', async ({ as }) => {
  const serving = await devBackend();
  const clone = await Clone.of('dev');
  const commit = miscounting(clone, 'Count wrongly');
  clone.remove();
  const page = await as('dev');
  await open(page, '/');
  const run = await confirm(page, await askToDeploy(page, 'dev'));
  await mark(page);

  await test.step('nothing is deployed, and the page names the test', async () => {
    await expect(state(page)).toHaveText('Failed', { timeout: 180_000 });
    await expect(step(page, 'Test backend')).toHaveAttribute('data-state', 'failed');
    for (const title of ['Migrate backend', 'Deploy backend', 'Deploy frontend']) {
      await expect(step(page, title), title).toHaveAttribute('data-state', 'skipped');
    }
    const box = page.getByRole('region', { name: 'Why it failed' });
    await expect(box).toContainText('Test backend failed');
    await expect(box).toContainText(/1 of \d+ tests failed: /);
    await expect(box).toContainText(FAILING.name);
    await answersAgain(serving);
    await wasKept(page);
  });

  const summary = 'Deploy although its tests fail';
  await test.step('a developer cannot deploy it all the same, and is told why', async () => {
    await page.getByText(summary).click();
    const deploy = page.getByRole('button', { name: `Deploy ${commit.short} to dev` });
    await expect(deploy).toBeDisabled();
    await expect(deploy).toHaveAccessibleDescription(/dev may not deploy to dev: it needs the role lead, and dev is developer/);
  });

  const lead = await as('lena');
  await test.step('a lead has to say why', async () => {
    await open(lead, `/runs/${run}`);
    await lead.getByText(summary).click();
    const panel = lead.locator('details').filter({ hasText: summary });
    const reason = panel.getByLabel('Reason');
    await panel.getByRole('button', { name: `Deploy ${commit.short} to dev` }).click();
    await expect(reason, 'the browser asks for it').toBeFocused();
    expect(await newestRun(lead), 'nothing has started').toBe(run);
    await reason.fill('The test counts wrongly, the app does not');
    await confirm(lead, panel);
    await mark(lead);
  });

  await test.step('the new run shows the test as failed, deploys, and says that it was asked to', async () => {
    await expect(state(lead)).toHaveText('Succeeded', { timeout: 180_000 });
    await expect(step(lead, 'Test backend')).toHaveAttribute('data-state', 'failed');
    await expect(step(lead, 'Deploy backend')).toHaveAttribute('data-state', 'succeeded');
    await expect(lead.getByRole('region', { name: 'Why it failed' })).toHaveCount(0);
    await expect(lead.locator('.run-head')).toContainText('The test counts wrongly, the app does not');
    const tabs = lead.getByRole('navigation', { name: 'About this run' });
    await expect(tabs.getByRole('link', { name: 'Tests' })).toContainText('1 failed');
    await tabs.getByRole('link', { name: 'Artifacts' }).click();
    await lead.getByText('as it was shown before the run').click();
    await expect(lead.locator('.plan')).toContainText('tests that fail do not hold up this run: that was asked for');
    expect(await devBackend()).toMatchObject({ status: 200, commit: commit.sha });
    await wasKept(lead);
  });
});
