// What the pages' tests find left over by the deploys.
import type { Page } from '@playwright/test';
import { expect } from '../support/portal';

/** The address of the newest run in a state, of a commit with this title where one is given. */
export async function runThat(page: Page, state: string, title = ''): Promise<string> {
  await page.goto(`/runs?state=${state}`);
  const link = page.getByRole('row').filter({ hasText: title }).getByRole('link', { name: /^#\d+$/ }).first();
  await expect(link, `the deploys' tests left a ${state} run`).toBeVisible();
  return (await link.getAttribute('href')) ?? '';
}

/** Every page that one who is signed in can see, with a name for it. */
export async function allPages(page: Page): Promise<[string, string][]> {
  return [
    ['board', '/'],
    ['runs', '/runs'],
    ['no runs', '/runs?state=running&environment=prod'],
    ['succeeded run', await runThat(page, 'succeeded')],
    ['failed run', await runThat(page, 'failed')],
    ['cancelled run', await runThat(page, 'cancelled')],
    ['superseded run', await runThat(page, 'superseded')],
    ['deploy', '/deploy/projectmeats/dev'],
    ['settings', '/settings'],
    ['nowhere', '/nowhere'],
    ['no rights', '/?project=secret-project'],
  ];
}
