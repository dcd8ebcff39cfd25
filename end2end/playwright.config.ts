// The browser tests: a real Chromium, a running portal and the lab, nothing mocked.
//
// `doors` needs no run, `deploys` makes runs in the dev environment one after the other, `pages` looks at what they left.
// They come in this order: where runs make networks for tests on this machine, Chromium sees its network change and drops
// the requests that wait for a connection, of which a page with its parts has many.
// FAIRLEAD_URL is the portal's address, CHROMIUM the browser's program, FAIRLEAD_LAB the lab's description.
import { defineConfig } from '@playwright/test';

export const use = {
  baseURL: process.env.FAIRLEAD_URL ?? 'http://localhost:3000',
  launchOptions: {
    executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium',
    args: ['--no-sandbox', '--disable-background-networking', '--disable-gpu'],
  },
};

export default defineConfig({
  testDir: 'tests',
  globalSetup: './tests/support/repository.ts',
  outputDir: 'test-results',
  forbidOnly: !!process.env.CI,
  workers: 2,
  timeout: 120_000,
  expect: { timeout: 20_000 },
  reporter: [['list']],
  use: { ...use, actionTimeout: 20_000, navigationTimeout: 30_000, trace: 'retain-on-failure', screenshot: 'only-on-failure' },
  projects: [
    { name: 'doors', testDir: 'tests/doors' },
    // The first build of all has to fetch every package.
    { name: 'deploys', testDir: 'tests/deploys', workers: 1, timeout: 600_000, dependencies: ['doors'] },
    { name: 'pages', testDir: 'tests/pages', dependencies: ['deploys'] },
  ],
});
