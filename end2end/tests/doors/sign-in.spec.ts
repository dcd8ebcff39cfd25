// Who comes in, with which rights, and how one leaves.
import { expect, hydrated, open, signIn, test, type Login } from '../support/portal';

const roles: [Login, string][] = [['lena', 'lead'], ['dev', 'developer'], ['vera', 'viewer']];
for (const [login, role] of roles) {
  test(`${login} signs in through GitHub as a ${role}`, async ({ page }) => {
    await page.goto('/');
    await expect(page).toHaveURL(/\/sign-in/);
    await signIn(page, login);
    await expect(page.getByRole('heading', { name: 'ProjectMeats' })).toBeVisible();
    await hydrated(page);
    await expect(page.locator('.me-name')).toHaveText(login);
    await expect(page.locator('.me-name')).toHaveAttribute('title', `${role} of projectmeats`);
  });
}

test('somebody without a role is told so and stays outside', async ({ page }) => {
  await page.goto('/sign-in');
  await signIn(page, 'omar');
  await expect(page).toHaveURL(/\/sign-in\?/);
  await expect(page.getByRole('alert')).toContainText('you have no role in any project here');
  await expect(page.getByRole('link', { name: 'Sign in with GitHub' })).toBeVisible();
  await page.goto('/');
  await expect(page).toHaveURL(/\/sign-in/);
});

test('somebody who says no on GitHub comes back and is told so', async ({ page }) => {
  await page.goto('/sign-in');
  await page.getByRole('link', { name: 'Sign in with GitHub' }).click();
  await page.getByRole('button', { name: 'Cancel' }).click();
  await expect(page.getByRole('alert')).toContainText('You did not allow the sign-in');
});

test('a page that needs a sign-in is shown after it', async ({ page }) => {
  await page.goto('/runs?state=failed');
  await expect(page).toHaveURL(/\/sign-in\?next=/);
  await signIn(page, 'vera');
  await expect(page).toHaveURL(/\/runs\?state=failed$/);
});

test('signing out ends the session, in every window that has it', async ({ page, browser, baseURL }) => {
  await page.goto('/sign-in');
  await signIn(page, 'vera');
  await hydrated(page);
  const stolen = await page.context().storageState();
  await page.getByRole('button', { name: 'Sign out' }).click();
  await expect(page).toHaveURL(/\/sign-in/);
  await page.goto('/');
  await expect(page).toHaveURL(/\/sign-in/);
  await page.goBack();
  await expect(page.locator('.lane')).toHaveCount(0);

  const context = await browser.newContext({ storageState: stolen, baseURL });
  const answer = await context.request.get('/runs', { maxRedirects: 0 });
  expect(answer.status()).toBe(303);
  expect(answer.headers().location).toContain('/sign-in');
  await context.close();
});

test.describe('after the sign-in nobody is sent to another site', () => {
  test.use({ allowed: [/status of 404/] }); // an address that only looks like another site's is one of ours that leads nowhere
  const elsewhere = ['//evil.example', 'https://evil.example/', '/\\evil.example', '/%5Cevil.example', '\\\\evil.example', '/\t/evil.example', 'javascript:alert(1)'];
  for (const next of elsewhere) {
    test(`next=${JSON.stringify(next)}`, async ({ page, baseURL }) => {
      await page.goto(`/sign-in?next=${encodeURIComponent(next)}`);
      await signIn(page, 'vera');
      await expect(page.locator('.me-name')).toHaveText('vera');
      expect(new URL(page.url()).origin).toBe(new URL(baseURL ?? '').origin);

      await page.goto(`/auth/github?next=${encodeURIComponent(next)}`);
      await page.locator('button[name=login][value=vera]').click();
      await expect(page.locator('.me-name')).toHaveText('vera');
      expect(new URL(page.url()).origin).toBe(new URL(baseURL ?? '').origin);
    });
  }
});

test('a viewer sees why Deploy is out of reach', async ({ as }) => {
  const page = await as('vera');
  await open(page, '/');
  const deploy = page.getByLabel('Deploy to dev');
  await expect(deploy).toBeDisabled();
  await expect(deploy).toHaveAccessibleDescription(/vera may not deploy to dev: it needs the role developer, and vera is viewer/);
});
