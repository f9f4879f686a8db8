/** Daemons as child processes, for tests that stop, kill and restart them. */
import { fork, type ChildProcess } from 'node:child_process';
import { EventEmitter, once } from 'node:events';
import type { TestContext } from 'node:test';
import type { ListeningMessage } from '../daemon.js';
import { sleep, withDeadline } from '../deadline.js';

/** Many times what any takes: on a busy machine all parts together took more than 30 s. */
const START_DEADLINE_MS = 120_000;
const PRINT_DEADLINE_MS = 60_000;

export interface ExitStatus {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

/** A daemon that listens. Ports are chosen by the system when `env` sets them to 0. */
export interface DaemonProcess {
  readonly pid: number;
  readonly ports: Readonly<Record<string, number>>;
  /** What it printed so far, both streams together. */
  readonly output: () => string;
  /** Resolves when the output holds `pattern`: what a process prints comes later than what it does. */
  readonly printed: (pattern: RegExp) => Promise<void>;
  readonly exited: Promise<ExitStatus>;
  readonly kill: (signal?: NodeJS.Signals) => Promise<ExitStatus>;
}

export interface DaemonSpec {
  /** Absolute path of the compiled entry point. */
  readonly entry: string;
  readonly args?: readonly string[];
  /** Options of Node.js. */
  readonly nodeOptions?: readonly string[];
  /** Laid over an environment that holds PATH and nothing else of this process's settings. */
  readonly env?: Readonly<Record<string, string>>;
}

/** A port that a daemon has had may be that of somebody's connection when it starts again: so often it is waited for. */
const PORT_TRIES = 20;
const PORT_PAUSE_MS = 500;

/** Starts a daemon and waits until it listens; it is killed when the test ends. Rejects with its output when it exits first. */
export async function startDaemon(t: Pick<TestContext, 'after'>, spec: DaemonSpec): Promise<DaemonProcess> {
  for (let left = PORT_TRIES; ; left -= 1) {
    try {
      return await startOnce(t, spec);
    } catch (err) {
      if (left === 0 || !/port \d+ on \S+ is already in use/.test(String(err))) throw err;
      await sleep(PORT_PAUSE_MS);
    }
  }
}

async function startOnce(t: Pick<TestContext, 'after'>, spec: DaemonSpec): Promise<DaemonProcess> {
  const { child, output, printed, exited } = spawnDaemon(t, spec);
  const listening = new Promise<ListeningMessage>((resolve, reject) => {
    child.on('message', message => resolve(message as ListeningMessage));
    void exited.then(({ code, signal }) =>
      reject(new Error(`${spec.entry} ended with ${code ?? signal} before it listened:\n${output()}`)),
    );
  });
  const { ports } = await withDeadline(listening, START_DEADLINE_MS, `the start of ${spec.entry}`).catch(
    (err: unknown) => {
      throw new Error(`${spec.entry} did not start:\n${output()}`, { cause: err });
    },
  );
  return {
    pid: child.pid as number,
    ports,
    output,
    printed,
    exited,
    kill: async (signal = 'SIGTERM') => {
      child.kill(signal);
      return exited;
    },
  };
}

/** Runs a daemon that is expected to end by itself, such as one whose start must be refused. */
export async function runToExit(
  t: Pick<TestContext, 'after'>,
  spec: DaemonSpec,
): Promise<ExitStatus & { output: string }> {
  const { output, exited } = spawnDaemon(t, spec);
  const status = await withDeadline(exited, START_DEADLINE_MS, `the exit of ${spec.entry}`);
  return { ...status, output: output() };
}

export interface Spawned {
  readonly child: ChildProcess;
  readonly output: () => string;
  /** Resolves when the output holds `pattern`. */
  readonly printed: (pattern: RegExp) => Promise<void>;
  readonly exited: Promise<ExitStatus>;
}

/** Starts a daemon and waits for nothing; it is killed when the test ends. */
export function spawnDaemon(
  t: Pick<TestContext, 'after'>,
  { entry, args = [], nodeOptions = [], env = {} }: DaemonSpec,
): Spawned {
  // As people start it: newer versions of the test runner have options of all kinds, and would hand them on.
  const options = { env: { PATH: process.env.PATH, ...env }, execArgv: [...nodeOptions], silent: true };
  const child = fork(entry, [...args], options);
  let output = '';
  const more = new EventEmitter();
  for (const stream of [child.stdout, child.stderr]) {
    stream?.setEncoding('utf8').on('data', (text: string) => {
      output += text;
      more.emit('output');
    });
  }
  const printed = async (pattern: RegExp): Promise<void> => {
    const signal = AbortSignal.timeout(PRINT_DEADLINE_MS);
    try {
      while (!pattern.test(output)) await once(more, 'output', { signal });
    } catch (err) {
      throw new Error(`${entry} did not print ${String(pattern)}:\n${output}`, { cause: err });
    }
  };
  const exited = new Promise<ExitStatus>(resolve => {
    child.once('close', (code, signal) => resolve({ code, signal }));
  });
  t.after(async () => {
    child.kill('SIGKILL');
    await exited;
  });
  return { child, output: () => output, printed, exited };
}
