// The lab as the tests use it: the repository that people push to, the deployed app, and Slack's messages.
import { execFileSync } from 'node:child_process';
import { mkdtempSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';

const described = process.env.FAIRLEAD_LAB ?? resolve(__dirname, '../../../target/lab/lab.json');
const lab = JSON.parse(readFileSync(described, 'utf8'));

/** What a push made. */
export type Commit = { sha: string; short: string; title: string };

/** A clone of the sample project, as a developer has it. */
export class Clone {
  private readonly folder = mkdtempSync(join(tmpdir(), 'fairlead-clone-'));

  private constructor(private readonly token: string) {}

  static async of(login: string): Promise<Clone> {
    const answer = await fetch(`${lab.github.url}/_lab/tokens?login=${login}`, { method: 'POST' });
    const clone = new Clone((await answer.json()).token);
    clone.git('clone', '--quiet', '--branch', 'development', `${lab.github.url}/${lab.repository.full_name}.git`, '.');
    clone.git('config', 'user.name', 'Devon Castillo');
    clone.git('config', 'user.email', `${login}@meatscentral.example`);
    return clone;
  }

  /**
   * Pushes a commit on `development` whose files are those of `main` with some written anew. So a commit that breaks
   * the app needs no repair of its own: the next push starts from what is known to work.
   */
  push(title: string, files: Record<string, string | ((before: string) => string)>): Commit {
    this.git('fetch', '--quiet', 'origin');
    this.git('reset', '--quiet', '--hard', 'origin/development');
    this.git('rm', '-r', '--quiet', '.');
    this.git('checkout', 'origin/main', '--', '.');
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

/** The texts that the team's Slack channel got, oldest first. */
export async function slackMessages(): Promise<string[]> {
  const answer = await fetch(lab.slack.messages_url);
  return (await answer.json()).map((message: unknown) => JSON.stringify(message));
}
