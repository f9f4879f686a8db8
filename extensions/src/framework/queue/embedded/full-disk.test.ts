/** A disk that is full: a small file system of its own, where the system lets this user make one. */
import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import test from 'node:test';
import { fileURLToPath } from 'node:url';
import { temporaryFolder } from '@zenko-modules/common/testing/temporary-folder';

const IN_NAMESPACE = ['--user', '--map-root-user', '--mount'];
const SCENARIO = fileURLToPath(new URL('../../../testing/full-disk-scenario.js', import.meta.url));
const MOUNT = 'mount -t tmpfs -o size=1m none "$1"';
const possible = spawnSync('unshare', [...IN_NAMESPACE, 'sh', '-c', MOUNT, 'sh', '/tmp']).status === 0;

test(
  'on a full disk publishing is refused without leaving files, and committing, leasing and reading go on until there is room',
  { skip: possible ? false : 'needs unshare and mount for this user (Linux)' },
  async t => {
    const folder = await temporaryFolder(t);
    const script = `${MOUNT} && exec "$2" "$3" "$1"`;
    const command = ['sh', '-c', script, 'sh', folder, process.execPath, SCENARIO];
    const child = spawn('unshare', [...IN_NAMESPACE, ...command]);
    t.after(() => child.kill('SIGKILL'));
    let output = '';
    for (const stream of [child.stdout, child.stderr]) stream.on('data', data => (output += String(data)));
    const [code] = (await once(child, 'close')) as [number];
    assert.equal(code, 0, output);
    assert.match(output, /all delivered/);
    t.diagnostic(output.trim());
  },
);
