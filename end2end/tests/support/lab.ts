// The lab as the tests use it: the repository that people push to, its webhook, the deployed app, and Slack's messages.
import { execFileSync } from 'node:child_process';
import { createHmac } from 'node:crypto';
import { mkdtempSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';

const described = process.env.FAIRLEAD_LAB ?? resolve(__dirname, '../../../target/lab/lab.json');
const lab = JSON.parse(readFileSync(described, 'utf8'));

/** What a push made. */
export type Commit = { sha: string; short: string; title: string };

/** A personal token of somebody on GitHub. */
async function tokenOf(login: string): Promise<string> {
  const answer = await fetch(`${lab.github.url}/_lab/tokens?login=${login}`, { method: 'POST' });
  return (await answer.json()).token;
}

/** A clone of the sample project, as a developer has it. */
export class Clone {
  private readonly folder = mkdtempSync(join(tmpdir(), 'fairlead-clone-'));

  private constructor(private readonly token: string) {}

  static async of(login: string): Promise<Clone> {
    const clone = new Clone(await tokenOf(login));
    clone.git('clone', '--quiet', '--branch', 'development', `${lab.github.url}/${lab.repository.full_name}.git`, '.');
    clone.git('config', 'user.name', 'Devon Castillo');
    clone.git('config', 'user.email', `${login}@meatscentral.example`);
    return clone;
  }

  /**
   * Pushes a commit on `development` whose files are those of `main` with some written anew. So a commit that breaks
   * the app needs no repair of its own: the next push starts from what is known to work.
   */
  push(title: string, files: Record<string, string | ((before: string) => string)>, from = 'origin/main'): Commit {
    this.git('fetch', '--quiet', 'origin');
    this.git('reset', '--quiet', '--hard', 'origin/development');
    this.git('rm', '-r', '--quiet', '.');
    this.git('checkout', from, '--', '.');
    for (const [path, text] of Object.entries(files)) {
      const file = join(this.folder, path);
      mkdirSync(dirname(file), { recursive: true });
      writeFileSync(file, typeof text === 'string' ? text : text(readFileSync(file, 'utf8')));
    }
    this.git('add', '--all');
    this.git('commit', '--quiet', '--allow-empty', '--message', title);
    this.git('push', '--quiet', 'origin', 'HEAD:development');
    const sha = this.git('rev-parse', 'HEAD').trim();
    return { sha, short: sha.slice(0, 7), title };
  }

  /** The newest commit of `development`. */
  head(): string {
    return this.git('rev-parse', 'origin/development').trim();
  }

  /** Takes everything back that was pushed on `development` after a commit. */
  putBack(sha: string) {
    this.git('push', '--quiet', '--force', 'origin', `${sha}:refs/heads/development`);
  }

  remove() {
    rmSync(this.folder, { recursive: true, force: true });
  }

  /** The token goes through the environment: the arguments of a process can be read by others. */
  private git(...args: string[]): string {
    const basic = Buffer.from(`x:${this.token}`).toString('base64');
    const env = {
      ...process.env,
      GIT_CONFIG_COUNT: '1',
      GIT_CONFIG_KEY_0: 'http.extraHeader',
      GIT_CONFIG_VALUE_0: `Authorization: Basic ${basic}`,
      GIT_TERMINAL_PROMPT: '0',
    };
    return execFileSync('git', args, { cwd: this.folder, env, encoding: 'utf8' });
  }
}

/** The backend of the dev environment: what it answers on its own address, and which container it is, of which commit. */
export async function devBackend(): Promise<{ status: number; container: string; commit: string }> {
  const { address, container: host } = lab.droplets['dev-backend'];
  const answer = await fetch(`http://${address}:8000/api/v1/health/`, { signal: AbortSignal.timeout(5_000) });
  const format = '{{.Id}} {{index .Config.Labels "fairlead.commit"}}';
  const told = execFileSync('docker', ['exec', host, 'docker', 'inspect', '--format', format, 'pm-backend'], {
    env: { ...process.env, DOCKER_HOST: `unix://${lab.docker_socket}` },
    encoding: 'utf8',
  });
  const [container, commit] = told.trim().split(' ');
  return { status: answer.status, container, commit };
}

/** A path below the dev environment's page, as somebody outside gets it: through the web server of the droplet. */
export async function devPage(path = '/'): Promise<{ url: string; status: number; text: string }> {
  const url = `http://${lab.droplets['dev-frontend'].address}${path}`;
  const answer = await fetch(url, { signal: AbortSignal.timeout(10_000) });
  return { url, status: answer.status, text: await answer.text() };
}

/** Where the dev environment's backend answers by itself. */
export const devApi = `http://${lab.droplets['dev-backend'].address}:8000`;

/** Switches the webhook of the organisation on or off, as its owner does: while it is off, a push starts no run. */
export async function tellPushes(active: boolean) {
  const hooks = `${lab.github.api_url}/orgs/${lab.repository.full_name.split('/')[0]}/hooks`;
  const headers = { Authorization: `Bearer ${await tokenOf('lena')}`, 'Content-Type': 'application/json' };
  const listed = await fetch(hooks, { headers });
  if (!listed.ok) throw new Error(`${hooks} answers ${listed.status}`);
  for (const { id } of await listed.json()) {
    const answer = await fetch(`${hooks}/${id}`, { method: 'PATCH', headers, body: JSON.stringify({ active }) });
    if (!answer.ok) throw new Error(`the hook ${id} cannot be switched: ${answer.status} ${await answer.text()}`);
  }
}

/** What GitHub told of a push, once it has. */
type Delivery = { guid: string; event: string; payload: { after?: string } };

export async function deliveryOf(sha: string): Promise<Delivery> {
  const answer = await fetch(`${lab.github.url}/_lab/deliveries`);
  const found = (await answer.json()).find(({ payload }: Delivery) => payload.after === sha);
  if (!found) throw new Error(`GitHub told nobody of ${sha}`);
  return found;
}

/** Sends a delivery once more, as GitHub's button for that does: the portal's answer. */
export async function deliverAgain(portal: string, { guid, event, payload }: Delivery, secret = lab.github.webhook_secret) {
  const body = JSON.stringify(payload);
  const headers = {
    'Content-Type': 'application/json',
    'X-GitHub-Event': event,
    'X-GitHub-Delivery': guid,
    'X-Hub-Signature-256': `sha256=${createHmac('sha256', secret).update(body).digest('hex')}`,
  };
  const answer = await fetch(`${portal}/hooks/github`, { method: 'POST', headers, body });
  return { status: answer.status, text: await answer.text() };
}

/** The texts that the team's Slack channel got, oldest first. */
export async function slackMessages(): Promise<string[]> {
  const answer = await fetch(lab.slack.messages_url);
  return (await answer.json()).map((message: unknown) => JSON.stringify(message));
}
