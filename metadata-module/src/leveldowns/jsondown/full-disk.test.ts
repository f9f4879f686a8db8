/** A disk that is full: a small file system of its own, where the system lets this user make one. */
import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import test from 'node:test';
import { fileURLToPath } from 'node:url';
import { runOnSmallDisk, smallDiskMissing } from '@zenko-modules/common/testing/small-disk';
import { temporaryFolder } from '@zenko-modules/common/testing/temporary-folder';

const IN_NAMESPACE = ['--user', '--map-root-user', '--mount'];
const SCENARIO = fileURLToPath(new URL('testing/full-disk-scenario.js', import.meta.url));
const MOUNT = 'mount -t tmpfs -o size=2m none "$1"';
const possible = spawnSync('unshare', [...IN_NAMESPACE, 'sh', '-c', MOUNT, 'sh', '/tmp']).status === 0;

test(
  'on a full disk batches are refused by name, what was acknowledged stays, and with room it goes on',
  { skip: possible ? false : 'needs unshare and mount for this user (Linux)' },
  async t => {
    const folder = await temporaryFolder(t);
    const script = `${MOUNT} && exec "$2" "$3" "$1"`;
    const child = spawn('unshare', [
      ...IN_NAMESPACE,
      'sh',
      '-c',
      script,
      'sh',
      folder,
      process.execPath,
      SCENARIO,
    ]);
    t.after(() => child.kill('SIGKILL'));
    let output = '';
    for (const stream of [child.stdout, child.stderr]) stream.on('data', data => (output += String(data)));
    const [code] = (await once(child, 'close')) as [number];
    assert.equal(code, 0, output);
    assert.match(output, /\d+ entries kept on a full disk/);
  },
);

test(
  'a store that has refused a batch for want of room is not ready until there is room for it',
  { skip: smallDiskMissing },
  async t => {
    const scenario = fileURLToPath(new URL('testing/full-disk-ready-scenario.js', import.meta.url));
    assert.match(await runOnSmallDisk(t, scenario, 1), /ready when there was room/);
  },
);
