// What the browser tests share: people who are signed in, and a watch on what a page must never do.
import { test as base, expect, type Browser, type BrowserContext, type BrowserContextOptions, type Locator, type Page, type Request } from '@playwright/test';

/** The lab's people: two leads, a developer, a viewer, and one without any role. */
export type Login = 'lena' | 'ada' | 'dev' | 'vera' | 'omar';

type Session = Awaited<ReturnType<BrowserContext['storageState']>>;
const sessions = new Map<Login, Session>();

/** Signs in through the lab's GitHub page, from wherever the portal asks for it. */
export async function signIn(page: Page, login: Login) {
  await page.getByRole('link', { name: 'Sign in with GitHub' }).click();
  await page.locator(`button[name=login][value=${login}]`).click();
}

async function session(browser: Browser, login: Login): Promise<Session> {
  const known = sessions.get(login);
  if (known) return known;
  const context = await browser.newContext();
  const page = await context.newPage();
  await page.goto('/sign-in');
  await signIn(page, login);
  await expect(page.locator('.me-name')).toHaveText(login);
  const state = await context.storageState();
  await context.close();
  sessions.set(login, state);
  return state;
}

/**
 * What Chromium says that is no page's fault: runs on this machine make networks while it loads something, and a slow one
 * uses late what it has loaded early. A page that goes along with a run gives up a connection that it needs no more.
 */
const noFault = [/net::ERR_NETWORK_CHANGED/, /was preloaded using link preload but not used/, /closed before the connection is established/];

type Fixtures = {
  /** A page of somebody who is signed in, in a browser context of their own. */
  as: (login: Login, options?: BrowserContextOptions) => Promise<Page>;
  /** What a console line may say in this test although it is a complaint. */
  allowed: RegExp[];
  /** Complaints of the console so far: errors, warnings, exceptions, refusals of the content security policy. */
  complaints: string[];
};

export const test = base.extend<Fixtures>({
  allowed: [[], { option: true }],

  complaints: [
    async ({ allowed }, use) => {
      const complaints: string[] = [];
      await use(complaints);
      const bad = complaints.filter((line) => ![...noFault, ...allowed].some((pattern) => pattern.test(line)));
      expect(bad, 'no page may complain in the console').toEqual([]);
    },
    { auto: true },
  ],

  context: async ({ context, complaints, baseURL }, use) => {
    listen(context, complaints, baseURL);
    await use(context);
  },

  as: async ({ browser, complaints, baseURL }, use) => {
    const contexts: BrowserContext[] = [];
    await use(async (login, options) => {
      const context = await browser.newContext({ storageState: await session(browser, login), ...options });
      contexts.push(context);
      listen(context, complaints, baseURL);
      return context.newPage();
    });
    for (const context of contexts) await context.close();
  },
});

/** Chromium reports what the content security policy refuses as an error in the console. GitHub's page is not ours. */
function listen(context: BrowserContext, complaints: string[], portal = '') {
  context.on('console', (message) => {
    if (!message.page()?.url().startsWith(portal)) return;
    if (message.type() === 'error' || message.type() === 'warning') {
      complaints.push(`${message.page()?.url()}: ${message.type()}: ${message.text()}`);
    }
  });
  context.on('weberror', (error) => complaints.push(`exception: ${error.error().message}`));
}

/** Waits until the page is hydrated: only then does the switch of the colours know which one is on. */
export async function hydrated(page: Page) {
  // An unoptimised build is megabytes, and each test has a browser with an empty cache.
  await expect(page.locator('.switch [aria-pressed=true]')).toHaveCount(1, { timeout: 60_000 });
}

/**
 * Goes to a page and waits until it lives. Chromium drops what it loads while a network comes or goes on its machine, as
 * with the tests of a run; the page is then loaded again.
 */
export async function open(page: Page, path: string) {
  let dropped = false;
  const failed = (request: Request) => (dropped ||= /ERR_NETWORK_CHANGED/.test(request.failure()?.errorText ?? ''));
  page.on('requestfailed', failed);
  for (let more = 3; ; more -= 1) {
    dropped = false;
    try {
      await page.goto(path);
      await hydrated(page);
      break;
    } catch (error) {
      if (!dropped || more === 0) throw error;
    }
  }
  page.off('requestfailed', failed);
}

/** An environment on the board. */
export function lane(page: Page, environment: string): Locator {
  return page.locator('.lane').filter({ has: page.getByRole('heading', { name: environment, exact: true }) });
}

/** Opens the confirmation of a deploy on the board. */
export async function askToDeploy(page: Page, environment: string): Promise<Locator> {
  await page.getByLabel(`Deploy to ${environment}`).click();
  const dialog = page.getByRole('dialog');
  await expect(dialog.getByRole('heading', { name: 'What will happen' })).toBeVisible();
  return dialog;
}

/** Presses the button that starts what a confirmation shows; the number of the run that it led to. */
export async function confirm(page: Page, panel: Page | Locator): Promise<number> {
  const before = page.url();
  await panel.getByRole('button', { name: /^Deploy [0-9a-f]{7} to / }).click();
  await page.waitForURL((url) => url.href !== before && /\/runs\/\d+$/.test(url.pathname));
  return runOf(page);
}

/** The number of the run whose page is shown. */
export function runOf(page: Page): number {
  return Number(new URL(page.url()).pathname.split('/').pop());
}

/** A run's state in a word, as its page shows it. */
export function state(page: Page): Locator {
  return page.locator('.run-title .badge').first();
}

/** A step in the graph of a run's page; other steps may name it too, as what they wait for. */
export function step(page: Page, title: string): Locator {
  return page.getByRole('list', { name: 'Steps' }).getByRole('link').filter({ has: page.getByText(title, { exact: true }) });
}

/** The lines of the log that is shown. */
export function lines(page: Page): Locator {
  return page.getByRole('log').locator('.line');
}

/** The number of the newest run, 0 where there is none, as a page without JavaScript says it. */
export async function newestRun(page: Page): Promise<number> {
  const answer = await page.request.get('/runs');
  return Number(/href="\/runs\/(\d+)"/.exec(await answer.text())?.[1] ?? 0);
}

/** Leaves a mark that only a reload of the page wipes away. */
export async function mark(page: Page) {
  await page.evaluate(() => document.documentElement.setAttribute('data-test-mark', ''));
}

/** Whether the page was not loaded again since the mark. */
export async function wasKept(page: Page) {
  await expect(page.locator('html[data-test-mark]'), 'the page was not loaded again').toHaveCount(1);
}

/** Stops every run that is waiting or at work, so that the next test finds the environment free. */
export async function stopRuns(page: Page, portal: string) {
  const unfinished = async () => {
    const answers = ['queued', 'running', 'cancelling'].map((state) => page.request.get(`/api/v1/runs?state=${state}`));
    const pages = await Promise.all((await Promise.all(answers)).map((answer) => answer.json()));
    return pages.flatMap(({ runs }) => runs.map((run: { id: number }) => run.id)) as number[];
  };
  for (const id of await unfinished()) {
    // A run that has ended meanwhile cannot be stopped, which is fine.
    await page.request.post(`/api/v1/runs/${id}/cancel`, { headers: { Origin: portal } });
  }
  await expect.poll(unfinished, { timeout: 60_000 }).toEqual([]);
}

export { expect };
