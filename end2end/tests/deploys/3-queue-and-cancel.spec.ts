// While one run is at work others wait, a newer one takes the place of an older one, and a run can be stopped.
import { askToDeploy, confirm, lane, lines, mark, open, runOf, state, step, wasKept } from '../support/portal';
import { Clone, devBackend, type Commit } from '../support/lab';
import { harmless, NOISE, noisy } from '../support/commits';
import { answersAgain, expect, test } from './test';

test('runs wait their turn, and the one at work can be watched and stopped', async ({ as }) => {
  const clone = await Clone.of('dev');
  const good = harmless(clone, 'Something that works');
  noisy(clone, 'Make some noise');
  clone.remove();
  const serving = await devBackend();

  const page = await as('lena');
  await open(page, '/');
  const first = await confirm(page, await askToDeploy(page, 'dev'));
  await expect(step(page, 'Build backend')).toHaveAttribute('data-state', 'running', { timeout: 60_000 });

  await test.step('the log follows the newest line, stops when one looks back, and says how much is new', async () => {
    await step(page, 'Build backend').click();
    const log = page.getByRole('log');
    await expect(log).toContainText(/tick \d+/, { timeout: 60_000 });
    await mark(page);
    await log.evaluate((element) => element.scrollTo({ top: 0 }));
    await expect(page.locator('#L1')).toBeInViewport();
    const pill = page.getByRole('button', { name: /\d+ new lines/ });
    await expect(pill).toBeVisible();
    await pill.click();
    await expect(pill).toBeHidden();
    await expect(log).toContainText(/tick \d+/);
    await expect.poll(() => log.evaluate((element) => element.scrollHeight - element.scrollTop - element.clientHeight)).toBeLessThan(60);
    await expect.poll(() => lines(page).count()).toBeLessThan(NOISE); // of a long log only what is in sight is rendered
    await wasKept(page);
  });

  await test.step('nothing moves for those who want less motion', async () => {
    const moving = () => document.getAnimations().filter((one) => one.playState === 'running' && Number(one.effect?.getComputedTiming().duration) > 50).length;
    await expect.poll(() => page.evaluate(moving), 'the spinner turns for everybody else').toBeGreaterThan(0);
    const calm = await as('vera', { reducedMotion: 'reduce' });
    await open(calm, `/runs/${first}`);
    await expect(state(calm)).toHaveText('Running');
    await expect.poll(() => calm.evaluate(moving)).toBe(0);
  });

  const developer = await as('dev');
  const second = await test.step('a second deploy waits, and says for what', async () => {
    await open(developer, '/');
    const dialog = await askToDeploy(developer, 'dev');
    await expect(dialog).toContainText(`It will wait for run #${first}`);
    const run = await confirm(developer, dialog);
    await expect(state(developer)).toHaveText('Queued');
    await expect(developer.locator('.run-head')).toContainText(`Waits for run #${first} by lena, which is running in dev`);
    await expect(step(developer, 'Check out')).toContainText('waits for the run to start');
    await expect(step(developer, 'Deploy frontend')).toContainText(/waits for “.+” and \d+ more/);
    await mark(developer);
    return run;
  });

  const other = await as('ada');
  const third = await test.step('a newer one, of another commit, takes its place', async () => {
    await open(other, '/');
    await expect(lane(other, 'dev')).toContainText(`Run #${second}`);
    const dialog = await askToDeploy(other, 'dev');
    await otherCommit(dialog, good);
    await expect(dialog).toContainText(`It takes the place of run #${second}, which waits and will never start`);
    const run = await confirm(other, dialog);
    await expect(state(developer)).toHaveText('Superseded');
    await wasKept(developer);
    await expect(other.locator('.run-head')).toContainText(`Waits for run #${first}`);
    return run;
  });

  await test.step('a viewer cannot stop it, and is told why', async () => {
    const viewer = await as('vera');
    await open(viewer, `/runs/${first}`);
    const cancel = viewer.getByRole('button', { name: 'Cancel' });
    await expect(cancel).toBeDisabled();
    await expect(cancel).toHaveAccessibleDescription(/vera may not .+ it needs the role developer/);
  });

  await test.step('the run at work is stopped, and the old container never went away', async () => {
    await page.getByRole('button', { name: 'Cancel' }).click();
    const dialog = page.getByRole('dialog');
    await expect(dialog).toContainText('what is half done is undone');
    await dialog.getByRole('button', { name: `Cancel run #${first}` }).click();
    await expect(state(page)).toHaveText('Cancelled', { timeout: 60_000 });
    await expect(page.locator('.run-head')).toContainText('Stopped by lena');
    expect(runOf(page)).toBe(first);
    await wasKept(page);
    await answersAgain(serving);
  });

  await test.step('then the one that waited has its turn', async () => {
    expect(runOf(other)).toBe(third);
    await expect(state(other)).toHaveText('Succeeded', { timeout: 180_000 });
    expect(await devBackend()).toMatchObject({ status: 200, commit: good.sha });
  });
});

/** Asks for the plan of another commit than the branch's newest. */
async function otherCommit(dialog: import('@playwright/test').Locator, commit: Commit) {
  await dialog.getByText('Another commit').click();
  await dialog.getByLabel(/Full commit id/).fill(commit.sha);
  await dialog.getByRole('button', { name: 'Show its plan' }).click();
  await expect(dialog.getByRole('button', { name: `Deploy ${commit.short} to dev` })).toBeVisible();
}
