// What the pages' tests find left over by the deploys.
import type { Page } from '@playwright/test';
import { expect } from '../support/portal';

/** Runs that were asked for: nothing starts one while the pages are looked at. */
const known = new Map<string, string>();

/** The address of the newest run in a state, of a commit with this title where one is given. */
export async function runThat(page: Page, state: string, title = ''): Promise<string> {
  const found = known.get(`${state} ${title}`);
  if (found) return found;
  await page.goto(`/runs?state=${state}`);
  const link = page.getByRole('row').filter({ hasText: title }).getByRole('link', { name: /^#\d+$/ }).first();
  await expect(link, `the deploys' tests left a ${state} run`).toBeVisible();
  const address = (await link.getAttribute('href')) ?? '';
  known.set(`${state} ${title}`, address);
  return address;
}

/** The address of the release that the deploys' tests pushed. */
export async function release(page: Page): Promise<string> {
  await page.goto(await runThat(page, 'succeeded', 'Tell what an order is'));
  return (await page.getByRole('link', { name: 'Images, tests and places' }).getAttribute('href')) ?? '';
}

/** Every page that one who is signed in can see, with a name for it. */
export async function allPages(page: Page): Promise<[string, string][]> {
  return [
    ['board', '/'],
    ['runs', '/runs'],
    ['no runs', '/runs?state=running&environment=prod'],
    ['succeeded run', await runThat(page, 'succeeded')],
    ['failed run', await runThat(page, 'failed', 'Break the settings')],
    ['annotations', `${await runThat(page, 'failed', 'Report every night')}?tab=annotations`],
    ['failed tests', `${await runThat(page, 'failed', 'Count wrongly')}?tab=tests`],
    ['artifacts', `${await runThat(page, 'succeeded', 'Tell what an order is')}?tab=artifacts`],
    ['timeline', `${await runThat(page, 'succeeded', 'Tell what an order is')}?tab=timeline`],
    ['no timeline', `${await runThat(page, 'superseded')}?tab=timeline`],
    ['release', await release(page)],
    ['cancelled run', await runThat(page, 'cancelled')],
    ['superseded run', await runThat(page, 'superseded')],
    ['deploy', '/deploy/projectmeats/dev'],
    ['settings', '/settings'],
    ['nowhere', '/nowhere'],
    ['no such run', '/runs/999999'],
    ['no such release', `/releases/projectmeats/${'a'.repeat(40)}`],
    ['no rights', '/?project=secret-project'],
  ];
}
