// A deploy whose app does not start: the old container comes back, and the page says what happened and what to do.
import { askToDeploy, confirm, lane, mark, open, state, step, wasKept } from '../support/portal';
import { Clone, devBackend } from '../support/lab';
import { broken } from '../support/commits';
import { answersAgain, expect, test } from './test';

test('a deploy that fails says why, and the old container serves on', async ({ as }) => {
  const serving = await devBackend();
  expect(serving.status).toBe(200);
  const clone = await Clone.of('dev');
  const commit = broken(clone, 'Break the settings');
  clone.remove();
  const page = await as('lena');
  await open(page, '/');
  const run = await confirm(page, await askToDeploy(page, 'dev'));
  await mark(page);

  await expect(state(page)).toHaveText('Failed', { timeout: 180_000 });
  await wasKept(page);
  await expect(step(page, 'Deploy backend')).toHaveAttribute('data-state', 'failed');
  await expect(step(page, 'Deploy frontend')).toHaveAttribute('data-state', 'skipped');
  await expect(step(page, 'Notify')).toHaveAttribute('data-state', 'succeeded');
  await expect(step(page, 'Deploy backend')).toContainText(/pm-backend (keeps exiting|exited at once)/);
  await expect(step(page, 'Deploy frontend')).toContainText('“Deploy backend” failed');

  await test.step('the box says what, what next, and what was done about it', async () => {
    const box = page.getByRole('region', { name: 'Why it failed' });
    await expect(box).toContainText('Deploy backend failed');
    await expect(box).toContainText(/pm-backend (keeps exiting|exited at once)/);
    await expect(box).toContainText("What next: the container's own lines");
    await expect(box).toContainText('What Fairlead did: the container that ran before is back');
  });

  await test.step('the log of the failed step is shown, with the reason in it', async () => {
    await expect(step(page, 'Deploy backend')).toHaveAttribute('aria-current', 'step');
    await expect(page.getByRole('log')).toContainText('the settings are broken on purpose');
  });

  await answersAgain(serving);

  await test.step('a reload shows the same', async () => {
    await page.reload();
    await expect(state(page)).toHaveText('Failed');
    await expect(page.getByRole('region', { name: 'Why it failed' })).toContainText('is back');
  });

  await test.step('the board says that the last run failed, and what still runs', async () => {
    await open(page, '/');
    await expect(lane(page, 'dev')).toContainText('Failed');
    await expect(lane(page, 'dev').locator('.component').filter({ hasText: 'backend' })).not.toContainText(commit.short);
  });

  await test.step('a retry goes on from the failed step', async () => {
    await open(page, `/runs/${run}`);
    await page.getByRole('button', { name: 'Retry from the failed step' }).click();
    const dialog = page.getByRole('dialog');
    await expect(dialog).toContainText(`takes over what succeeded in run #${run}, its images and tests, and its migration unless another run has migrated since, and deploys ${commit.short} to dev again`);
    await dialog.getByRole('button', { name: `Retry run #${run}` }).click();
    await page.waitForURL((url) => url.pathname !== `/runs/${run}` && /\/runs\/\d+$/.test(url.pathname));
    await expect(page.locator('.run-head')).toContainText(`again after #${run}`);
    await expect(step(page, 'Build backend')).toContainText('taken over');
    await expect(state(page)).toHaveText('Failed', { timeout: 120_000 });
    await answersAgain(serving);
  });

  await test.step('what the retry took over is shown where it was done', async () => {
    await page.getByRole('navigation', { name: 'About this run' }).getByRole('link', { name: 'Tests' }).click();
    const tests = page.locator('section.card').filter({ has: page.getByRole('heading', { name: 'Test backend' }) });
    await expect(tests).toContainText(`Taken over from run #${run}`);
    await tests.getByRole('link', { name: `#${run}` }).click();
    await expect(page).toHaveURL(`/runs/${run}?tab=tests`);
    await expect(tests).toContainText(/\d+ passed/);
  });

  await test.step('a viewer cannot retry it, and is told why', async () => {
    const viewer = await as('vera');
    await open(viewer, `/runs/${run}`);
    const retry = viewer.getByRole('button', { name: 'Retry from the failed step' });
    await expect(retry).toBeDisabled();
    await expect(retry).toHaveAccessibleDescription(/vera may not .+ it needs the role developer/);
  });
});
