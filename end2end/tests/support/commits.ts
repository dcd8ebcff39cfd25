// The commits that the tests push: some that work, one whose build talks for long, one whose app does not start, one whose
// workflow file has an error, one whose tests fail.
import type { Clone, Commit } from './lab';

/** Makes a commit new: the same text would be built already. */
const stamp = () => new Date().toISOString();

/** The app with another README. Pushed again with the same note it has the same tree, so nothing is built again. */
export function harmless(clone: Clone, title: string, note = stamp()): Commit {
  return clone.push(title, { 'README.md': `# ProjectMeats\n\n${note}\n` });
}

/** How many lines the noisy build writes at once, before it goes on with ten each second. */
export const NOISE = 1_500;

/**
 * The backend's build writes colours, a line that looks like an error, one that is very long, progress that overwrites
 * itself, and then does not end for minutes.
 */
export function noisy(clone: Clone, title: string): Commit {
  const script = [
    `# ${stamp()}`,
    `printf '\\033[32mgreen as grass\\033[0m and plain\\n'`,
    `printf '<b>not markup</b> & more\\n'`,
    `i=1; while [ $i -le ${NOISE} ]; do echo "line of noise $i"; i=$((i + 1)); done`,
    `printf 'half way 10%%\\rhalf way 90%%\\rall the way\\n'`,
    `echo "ERROR: this line only looks like one"`,
    `head -c 6000 /dev/zero | tr '\\0' x; echo`,
    `echo "needle in the haystack"`,
    `i=1; while [ $i -le 3000 ]; do echo "tick $i"; sleep 0.1; i=$((i + 1)); done`,
  ];
  return clone.push(title, {
    'backend/noise.sh': `${script.join('\n')}\n`,
    'backend/dockerfile': (before) => before.replace('EXPOSE 8000', 'RUN sh noise.sh\nEXPOSE 8000'),
  });
}

/** The app ends as soon as it starts. Its tests pass and its database can be migrated, which need no web server. */
export function broken(clone: Clone, title: string): Commit {
  return clone.push(title, {
    'backend/gunicorn.conf.py': (before) => `raise RuntimeError("the settings are broken on purpose, ${stamp()}")\n${before}`,
  });
}

/**
 * The app with a migration that no database has seen. It writes a table's comment and nothing else, so that the app
 * before it, which the next push brings back, goes on with the same database.
 */
export function migrating(clone: Clone, title: string): Commit & { migration: string } {
  const migration = `0003_comment_${Date.now()}`;
  const text = [
    'from django.db import migrations',
    '',
    '',
    'class Migration(migrations.Migration):',
    "    dependencies = [('orders', '0002_order_delivery_on')]",
    '    operations = [',
    `        migrations.RunSQL("COMMENT ON TABLE orders_order IS 'What a customer wants, ${stamp()}'", migrations.RunSQL.noop),`,
    '    ]',
  ];
  const commit = clone.push(title, { [`backend/apps/orders/migrations/${migration}.py`]: `${text.join('\n')}\n` });
  return { ...commit, migration };
}

/** What is on the branch, with nothing but its README written anew. */
export function documented(clone: Clone, title: string): Commit {
  return clone.push(title, { 'README.md': `# ProjectMeats\n\n${stamp()}\n` }, 'origin/development');
}

/** A second workflow file, whose job names no runner. */
export const WORKFLOW = { path: '.github/workflows/nightly.yml', line: 9, column: 3, rule: 'missing-key' };

export function forgetful(clone: Clone, title: string): Commit {
  const text = [
    '---',
    'name: Nightly',
    '',
    'on:  # yamllint disable-line rule:truthy',
    '  schedule:',
    "    - cron: '0 3 * * *'",
    '',
    'jobs:',
    '  report:',
    '    steps:',
    '      - run: make report',
  ];
  return clone.push(title, { [WORKFLOW.path]: `${text.join('\n')}\n` });
}

/** One of the backend's tests fails. */
export const FAILING = { name: 'test_two_and_two_make_five', says: '4 != 5' };

export function miscounting(clone: Clone, title: string): Commit {
  const text = ['', '', 'class ArithmeticTests(APITestCase):', `    def ${FAILING.name}(self):`, `        # ${stamp()}`, '        self.assertEqual(2 + 2, 5)'];
  return clone.push(title, { 'backend/apps/orders/tests.py': (before) => `${before}${text.join('\n')}\n` });
}
