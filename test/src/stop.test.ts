/** `npm start` told to stop at bad moments: everything that it started ends, and nothing is printed that is not so. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import test from 'node:test';
import { fileURLToPath } from 'node:url';
import { withDeadline } from '@zenko-modules/common/deadline';
import { spawnDaemon } from '@zenko-modules/common/testing/daemon-process';
import { temporaryFolder } from '@zenko-modules/common/testing/temporary-folder';
import { FREE_PORTS, START_ENTRY } from './support/everything.js';

const DEADLINE_MS = 60_000;
const NEVER_OPEN = fileURLToPath(new URL('support/never-open.js', import.meta.url));

test('Ctrl-C while a part is still starting', async t => {
  const { child, output, exited, printed } = spawnDaemon(t, {
    entry: START_ENTRY,
    env: {
      ...FREE_PORTS,
      DATA_DIR: await temporaryFolder(t),
      METADATA_BACKEND: NEVER_OPEN,
      STOP_GRACE_MS: '500',
    },
  });
  await withDeadline(printed(/opening for ever/), DEADLINE_MS, 'the start of the second part');
  child.kill('SIGINT');
  const { code } = await withDeadline(exited, DEADLINE_MS, 'the stop');
  assert.equal(code, 0, output());
  assert.equal(output(), 'opening for ever\nstopping\n');
});

test('SIGTERM to npm, whose shell passes it on to nobody', async t => {
  const shell = spawn('sh', ['-c', `"${process.execPath}" "${START_ENTRY}"; exit $?`], {
    env: {
      ...FREE_PORTS,
      PATH: process.env.PATH,
      DATA_DIR: await temporaryFolder(t),
      npm_lifecycle_event: 'start',
    },
    detached: true,
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  let output = '';
  const up = new Promise<void>(resolve => {
    shell.stdout.setEncoding('utf8').on('data', (text: string) => {
      output += text;
      if (output.includes('Ctrl-C stops everything.')) resolve();
    });
  });
  // The parts write where the shell wrote: that is closed when the last of them has ended.
  const closed = new Promise(resolve => shell.once('close', resolve));
  t.after(() => {
    if (shell.stdout.closed) return;
    // All but the parts, which end when their launcher has.
    process.kill(-(shell.pid as number), 'SIGKILL');
  });
  await withDeadline(up, DEADLINE_MS, 'the start');
  shell.kill('SIGTERM');
  await withDeadline(closed, DEADLINE_MS, 'the end of all parts');
  assert.match(output, /\nstopping\n$/);
});
