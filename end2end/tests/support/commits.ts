// The commits that the tests push: one that works, one whose build talks for long, one whose app does not start.
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
