// Pictures of every page and state, light and dark, wide and on a phone, to look at:
// FAIRLEAD_URL=http://localhost:3000 npx playwright test --config screenshots.config.ts
// They are written to target/screenshots. The browser tests should have run before: their runs are in the pictures.
import { defineConfig } from '@playwright/test';
import { use } from './playwright.config';

export default defineConfig({
  testDir: '.',
  testMatch: 'screenshots.ts',
  globalSetup: './tests/support/repository.ts',
  outputDir: 'test-results',
  workers: 1,
  timeout: 300_000,
  reporter: [['list']],
  use: { ...use, reducedMotion: 'reduce' },
});
