/** A disk that is full: a small file system of its own, where the system lets this user make one. */
import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import test from 'node:test';
import { fileURLToPath } from 'node:url';
import { temporaryFolder } from '@zenko-modules/common/testing/temporary-folder';

const IN_NAMESPACE = ['--user', '--map-root-user', '--mount'];
const SCENARIO = fileURLToPath(new URL('../../testing/full-disk-scenario.js', import.meta.url));

const possible =
  spawnSync('unshare', [...IN_NAMESPACE, 'sh', '-c', 'mount -t tmpfs -o size=1m none /tmp']).status === 0;

test(
  'a full disk is ServiceUnavailable, leaves nothing, and takes blobs again when there is room',
  { skip: possible ? false : 'needs unshare and mount for this user (Linux)' },
  async t => {
    const folder = await temporaryFolder(t);
    const script = 'mount -t tmpfs -o size=8m none "$1" && exec "$2" "$3" "$1"';
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
    const code = await new Promise(resolve => child.once('close', resolve));
    assert.equal(code, 0, output);
    assert.match(output, /full, cleaned up and writable again/);
  },
);
