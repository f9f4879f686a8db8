/** A small file system of its own for a scenario that fills it, where the system lets this user make one. */
import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import type { TestContext } from 'node:test';
import { temporaryFolder } from './temporary-folder.js';

const IN_NAMESPACE = ['--user', '--map-root-user', '--mount'];

const isPossible =
  spawnSync('unshare', [...IN_NAMESPACE, 'sh', '-c', 'mount -t tmpfs -o size=1m none /tmp']).status === 0;

/** For node:test's `skip`. */
export const smallDiskMissing = isPossible ? false : 'needs unshare and mount for this user (Linux)';

/** Runs `node <scenario> <folder>` with an empty file system of `megabytes` at the folder; it must end with 0. Resolves with what it printed. */
export async function runOnSmallDisk(t: TestContext, scenario: string, megabytes: number): Promise<string> {
  const folder = await temporaryFolder(t);
  const script = 'mount -t tmpfs -o size="$4"m none "$1" && exec "$2" "$3" "$1"';
  const child = spawn('unshare', [
    ...IN_NAMESPACE,
    'sh',
    '-c',
    script,
    'sh',
    folder,
    process.execPath,
    scenario,
    String(megabytes),
  ]);
  t.after(() => child.kill('SIGKILL'));
  let output = '';
  for (const stream of [child.stdout, child.stderr]) stream.on('data', data => (output += String(data)));
  const code = await new Promise(resolve => child.once('close', resolve));
  assert.equal(code, 0, output);
  return output;
}
