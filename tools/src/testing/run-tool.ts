/** The command as people run it: a process of its own. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import type { TestContext } from 'node:test';
import { fileURLToPath } from 'node:url';

const MAIN = fileURLToPath(new URL('../main.js', import.meta.url));

export type Environment = Readonly<Record<string, string>>;

export interface Finished {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

export interface StartedTool {
  readonly child: ChildProcess;
  readonly finished: Promise<Finished>;
}

/** The process is killed when the test ends. */
export function startTool(
  t: Pick<TestContext, 'after'>,
  args: readonly string[],
  env: Environment,
  input?: Buffer,
): StartedTool {
  const child = spawn(process.execPath, [MAIN, ...args], {
    env: { PATH: process.env.PATH, ...env },
    stdio: ['pipe', 'pipe', 'pipe'],
  });
  t.after(() => child.kill('SIGKILL'));
  const stdout: Buffer[] = [];
  let stderr = '';
  child.stdout.on('data', (bytes: Buffer) => stdout.push(bytes));
  child.stderr.setEncoding('utf8').on('data', (text: string) => (stderr += text));
  child.stdin.on('error', () => undefined);
  child.stdin.end(input);
  const finished = once(child, 'close').then(([code]) => ({
    code: code as number | null,
    stdout: Buffer.concat(stdout).toString(),
    stderr,
  }));
  return { child, finished };
}

export function runTool(
  t: Pick<TestContext, 'after'>,
  args: readonly string[],
  env: Environment,
  input?: Buffer,
): Promise<Finished> {
  return startTool(t, args, env, input).finished;
}

/** What a verb with `--json` told of one kind of event. */
export function eventsOf(stdout: string, event: string): Record<string, unknown>[] {
  return stdout
    .split('\n')
    .filter(line => line !== '')
    .map(line => JSON.parse(line) as Record<string, unknown>)
    .filter(result => result.event === event);
}
