/** What lies in a folder is durable only when the folder's own name is: seen in the system calls of the real processes. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import test, { type TestContext } from 'node:test';
import { fileURLToPath } from 'node:url';
import { straceMissing } from '@zenko-modules/common/testing/strace';
import { temporaryFolder } from '@zenko-modules/common/testing/temporary-folder';

const POPULATOR = fileURLToPath(new URL('../../commands/populator-main.js', import.meta.url));
const QUEUE = new URL('../queue/open-queue.js', import.meta.url).href;
const SETTINGS = new URL('../extension-settings.js', import.meta.url).href;

/** Runs a program until it ends or has printed `until`; resolves with its calls of mkdir and fsync. */
async function trace(
  t: TestContext,
  args: string[],
  env: NodeJS.ProcessEnv,
  until: RegExp,
): Promise<string[]> {
  const file = path.join(await temporaryFolder(t), 'trace');
  // -D: what is spawned is the program, and not strace.
  const calls = ['-D', '-f', '-y', '-e', 'trace=mkdir,mkdirat,fsync,fdatasync', '-o', file];
  const child = spawn('strace', [...calls, process.execPath, ...args], { env: { ...process.env, ...env } });
  const ended = once(child, 'close');
  t.after(() => child.kill('SIGKILL'));
  let output = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream.on('data', data => {
      output += String(data);
      if (until.test(output)) child.kill('SIGTERM');
    });
  }
  await ended;
  assert.match(output, until);
  return joined((await readFile(file, 'utf8')).split('\n'));
}

/** The calls as one line each: with several threads strace may tell of one in two, `<unfinished ...>` and `resumed>`. */
function joined(lines: readonly string[]): string[] {
  const begun = new Map<string, string>();
  return lines.flatMap(line => {
    const [, pid = '', call = ''] = /^(\d+) +(.*)$/.exec(line) ?? [];
    const [, beginning] = /^(.*)<unfinished \.\.\.>$/.exec(call) ?? [];
    if (beginning !== undefined) {
      begun.set(pid, beginning);
      return [];
    }
    const [, rest] = /^<\.\.\. \w+ resumed>(.*)$/.exec(call) ?? [];
    return [rest === undefined ? call : `${begun.get(pid) ?? ''}${rest}`];
  });
}

/** Each folder that was made, and that it is followed by a sync of the folder in which it lies. */
function checkSynced(lines: readonly string[], root: string): string[] {
  const made: string[] = [];
  for (const [index, line] of lines.entries()) {
    const folder = /mkdir(?:at)?\(.*"([^"]+)".*\) = 0/.exec(line)?.[1];
    if (!folder?.startsWith(root)) continue;
    made.push(path.relative(root, folder));
    const sync = lines.slice(index + 1).find(later => later.includes(`<${path.dirname(folder)}>`));
    assert.ok(sync?.includes('fsync('), `${folder} was made, and its name is not synced`);
  }
  return made;
}

test('the folders of the populator', { skip: straceMissing }, async t => {
  const root = await temporaryFolder(t);
  const env = {
    DATA_DIR: root,
    POPULATOR_PROBE_PORT: '0',
    METADATA_PORT: '1',
    EXTENSIONS_HELLOWORLD_ENABLED: 'false',
  };
  const lines = await trace(t, [POPULATOR], env, /"msg":/);
  assert.deepEqual(checkSynced(lines, root).sort(), [
    'extensions',
    'extensions/populator',
    'extensions/queue',
  ]);
});

test('the folders of the embedded queue', { skip: straceMissing }, async t => {
  const root = await temporaryFolder(t);
  const script = `
    const { openQueue } = await import(${JSON.stringify(QUEUE)});
    const { QUEUE_SETTINGS } = await import(${JSON.stringify(SETTINGS)});
    const { readSettings } = await import('@zenko-modules/common/settings');
    const { silentLogger } = await import('@zenko-modules/common/logger');
    const settings = readSettings(QUEUE_SETTINGS, { DATA_DIR: ${JSON.stringify(root)} });
    const queue = await openQueue(settings, undefined, silentLogger());
    await queue.publish('topic', [{ key: 'k', value: 'v' }]);
    await queue.close();
    console.log('published');`;
  const lines = await trace(t, ['--input-type=module', '-e', script], {}, /published/);
  const queue = 'extensions/queue';
  const made = ['extensions', queue, `${queue}/topic`, `${queue}/topic/groups`];
  assert.deepEqual(checkSynced(lines, root), made);
});
