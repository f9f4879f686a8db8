/** What a process that logs does at its end. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import test, { type TestContext } from 'node:test';
import { withDeadline } from './deadline.js';

const LOGGER = new URL('logger.js', import.meta.url).href;
const LINES = ['first', 'second', 'third'];

/** A process that logs some lines at once, and ends, when it is told to. Its output may go through a shell's pipe. */
function start(t: TestContext, reader?: string, more = 0) {
  const script = `
    const { createLogger, exitLogged } = await import(${JSON.stringify(LOGGER)});
    process.on('SIGTERM', () => {
      const log = createLogger('test', 'info');
      for (const line of ${JSON.stringify(LINES)}) log.info({ more: 'x'.repeat(${more}) }, line);
      void exitLogged(3);
    });
    setInterval(() => undefined, 1000);
    process.stderr.write('up ' + process.pid);`;
  const args = ['--input-type=module', '-e', script];
  const child =
    reader === undefined
      ? spawn(process.execPath, args)
      : spawn('bash', ['-c', `set -o pipefail; "$@" | ${reader}`, 'bash', process.execPath, ...args]);
  let output = '';
  child.stdout.on('data', data => (output += String(data)));
  const pid = once(child.stderr, 'data').then(([data]) => Number(/up (\d+)/.exec(String(data))?.[1]));
  t.after(async () => {
    if (child.exitCode === null) process.kill(await pid, 'SIGKILL');
  });
  return { child, pid, output: () => output };
}

for (const [name, reader] of [
  ['a socket', undefined],
  ['a pipe', 'cat'],
] as const) {
  test(`the last lines are written before a process ends, into ${name}`, async t => {
    const { child, pid, output } = start(t, reader);
    process.kill(await pid, 'SIGTERM');
    await once(child, 'close');
    for (const line of LINES) assert.match(output(), new RegExp(`"msg":"${line}"`));
  });
}

for (const [name, reader] of [
  ['a socket', undefined],
  ['a pipe', 'true'],
] as const) {
  test(`a process ends although nobody reads what it logs, into ${name}`, async t => {
    // More than a pipe holds.
    const { child, pid } = start(t, reader, 100_000);
    await pid;
    child.stdout.destroy();
    process.kill(await pid, 'SIGTERM');
    const [code] = (await withDeadline(once(child, 'exit'), 20_000, 'the end of the process')) as [number];
    assert.equal(code, 3);
  });
}
