/**
 * Servers that tests start for themselves: memcached, MongoDB, Kafka. A program is looked for where an
 * environment variable says, then in PATH, then in `../shared/bin` beside the project.
 */
import { spawn } from 'node:child_process';
import { accessSync, constants } from 'node:fs';
import { randomInt } from 'node:crypto';
import net from 'node:net';
import path from 'node:path';
import type { TestContext } from 'node:test';
import { fileURLToPath } from 'node:url';
import { sleep } from '../deadline.js';

const PROJECT = fileURLToPath(new URL('../../../', import.meta.url));

export interface TestServer {
  readonly port: number;
  /** Ends it by `signal` and waits until it has gone. */
  readonly stop: (signal?: NodeJS.Signals) => Promise<void>;
  /** Sends a signal, such as SIGSTOP, and does not wait. */
  readonly signal: (signal: NodeJS.Signals) => void;
}

/** The path of `program` in PATH, or `undefined`. */
export function findInPath(program: string): string | undefined {
  return (process.env.PATH ?? '')
    .split(path.delimiter)
    .map(folder => path.join(folder, program))
    .find(isExecutable);
}

/** The path of `../shared/bin/<relative>`, or `undefined`. */
export function findInShared(relative: string): string | undefined {
  const file = path.join(PROJECT, '../shared/bin', relative);
  return isExecutable(file) ? file : undefined;
}

/** `reason` when the server is missing, so that the test skips by name; in CI a missing server is a failure instead. */
export function skipReason(present: boolean, reason: string): string | false {
  return present || process.env.CI === 'true' ? false : reason;
}

function isExecutable(file: string): boolean {
  try {
    accessSync(file, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

/**
 * A port that is free now and named before it is listened on. It lies below those that systems give to connections that
 * go out, any of which could have taken it by then.
 */
export async function freePort(): Promise<number> {
  for (;;) {
    const port = randomInt(10_000, 32_000);
    if (await isFree(port)) return port;
  }
}

function isFree(port: number): Promise<boolean> {
  return new Promise(resolve => {
    const server = net.createServer();
    server.once('error', () => resolve(false));
    server.listen(port, '127.0.0.1', () => server.close(() => resolve(true)));
  });
}

export interface TestServerSpec {
  readonly program: string;
  readonly args: readonly string[];
  readonly port: number;
  /** Laid over this process's environment. */
  readonly env?: Readonly<Record<string, string>>;
  readonly startDeadlineMs?: number;
}

/** Starts a server and waits until its port answers; it is killed when the test ends. */
export async function startTestServer(
  t: Pick<TestContext, 'after'>,
  spec: TestServerSpec,
): Promise<TestServer> {
  const child = spawn(spec.program, spec.args, {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { ...process.env, ...spec.env },
  });
  let output = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8').on('data', (text: string) => {
      output = (output + text).slice(-10_000);
    });
  }
  const state = { ended: false };
  const closed = new Promise<void>(resolve => {
    child.once('error', err => {
      state.ended = true;
      output += err.message;
      resolve();
    });
    child.once('close', () => {
      state.ended = true;
      resolve();
    });
  });
  const stop = async (signal: NodeJS.Signals = 'SIGTERM'): Promise<void> => {
    child.kill(signal);
    await closed;
  };
  t.after(() => stop('SIGKILL'));
  const deadline = Date.now() + (spec.startDeadlineMs ?? 60_000);
  while (!(await answers(spec.port))) {
    if (state.ended) throw new Error(`${spec.program} ended before it listened:\n${output}`);
    if (Date.now() > deadline) throw new Error(`${spec.program} did not listen in time:\n${output}`);
    await sleep(50);
  }
  return { port: spec.port, stop, signal: signal => void child.kill(signal) };
}

function answers(port: number): Promise<boolean> {
  return new Promise(resolve => {
    const socket = net.connect(port, '127.0.0.1');
    socket.once('connect', () => {
      socket.destroy();
      resolve(true);
    });
    socket.once('error', () => resolve(false));
  });
}
