// What nobody gets: pages that are not there, and pages that are not for them.
import { expect, open, test } from '../support/portal';

test.use({ allowed: [/status of 40[34]/] }); // Chromium tells in the console when a page answers so

test('an address that leads nowhere says so', async ({ as }) => {
  const page = await as('vera');
  for (const path of ['/nowhere', '/deploy/UPPER/dev']) {
    const answer = await page.goto(path);
    expect(answer?.status(), path).toBe(404);
    await expect(page.getByText('There is no such page')).toBeVisible();
    await expect(page.getByRole('link', { name: 'Back to the board' })).toBeVisible();
  }
  await page.getByRole('link', { name: 'Back to the board' }).click();
  await expect(page.getByRole('heading', { name: 'ProjectMeats' })).toBeVisible();
});

test('a run that is not there says so', async ({ as }) => {
  const page = await as('vera');
  for (const path of ['/runs/999999', '/runs/nonsense', '/runs/0']) {
    const answer = await page.goto(path);
    expect(answer?.status(), path).toBe(404);
    await expect(page.getByRole('alert'), path).toContainText('Not found');
  }
});

test('a release that no run was about says so, and one of a project that one may not see is not told from it', async ({ as }) => {
  const page = await as('vera');
  for (const release of [`projectmeats/${'0'.repeat(40)}`, 'projectmeats/nonsense', `secret-project/${'0'.repeat(40)}`]) {
    const answer = await page.goto(`/releases/${release}`);
    expect(answer?.status(), release).toBe(404);
    await expect(page.getByRole('alert'), release).toContainText('Not found');
  }
});

test('a project that one may not see is not told from one that is not there', async ({ as }) => {
  const page = await as('vera');
  const answer = await page.goto('/?project=secret-project');
  expect([403, 404]).toContain(answer?.status());
  await expect(page.getByRole('alert')).toContainText(/secret-project/);
  await expect(page.locator('.lane')).toHaveCount(0);
});

test('a viewer cannot deploy by address either', async ({ as }) => {
  const page = await as('vera');
  const answer = await page.goto('/deploy/projectmeats/dev');
  await expect(page.getByRole('button', { name: /^Deploy/ })).toHaveCount(0);
  await expect(page.getByRole('alert')).toContainText('vera may not');
  expect(answer?.status()).toBe(403);
});

test('every page has a strict content security policy', async ({ as, page: anonymous }) => {
  const page = await as('vera');
  for (const [who, path] of [[anonymous, '/sign-in'], [page, '/'], [page, '/runs'], [page, '/settings'], [page, '/nowhere']] as const) {
    const answer = await who.goto(path);
    const policy = answer?.headers()['content-security-policy'] ?? '';
    expect(policy, path).toMatch(/script-src [^;]*'nonce-[^']{16,}'/);
    expect(policy, path).toContain("object-src 'none'");
    expect(policy, path).toContain("frame-ancestors 'none'");
    expect(policy, path).not.toContain('unsafe-inline');
    expect(policy, path).not.toContain("'unsafe-eval'");
    expect(answer?.headers()['x-content-type-options'], path).toBe('nosniff');
  }
});

test('a script that somebody smuggles into a page does not run', async ({ as, complaints }) => {
  const page = await as('vera');
  await open(page, '/runs?project=%3Cscript%3Ewindow.smuggled=1%3C/script%3E');
  expect(await page.evaluate(() => 'smuggled' in window)).toBe(false);
  await page.evaluate(() => {
    const script = document.createElement('script');
    script.textContent = 'window.smuggled = 1';
    document.body.append(script);
  });
  expect(await page.evaluate(() => 'smuggled' in window)).toBe(false);
  await expect.poll(() => complaints.some((line) => /Content Security Policy/.test(line))).toBe(true);
  complaints.length = 0;
});
