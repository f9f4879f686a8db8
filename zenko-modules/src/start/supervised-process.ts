/** One part as a child process: started, watched, started again when it dies, stopped in order. */
import { fork, type ChildProcess } from 'node:child_process';
import { sleep } from '@zenko-modules/common/deadline';
import type { ListeningMessage } from '@zenko-modules/common/daemon';
import { StartError } from '@zenko-modules/common/start-error';

/** A part that is not up by then is taken for hung. */
const START_DEADLINE_MS = 60_000;
const RESTART_DELAY_MS = 1000;
/** What a part gets beyond STOP_GRACE_MS before it is killed. */
const KILL_AFTER_GRACE_MS = 2000;

export interface PartSpec {
  readonly name: string;
  readonly entry: URL;
  readonly args: readonly string[];
  readonly nodeOptions?: readonly string[];
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly stopGraceMs: number;
  /** Called with a line for the person at the terminal. */
  readonly say: (line: string) => void;
}

/**
 * A part. It runs in a process group of its own, so that Ctrl-C in the terminal reaches this
 * process alone and the parts stop in order; it stops by itself when this process is gone.
 */
export class SupervisedProcess {
  readonly #spec: PartSpec;
  #child: ChildProcess;
  readonly #stopSignal = new AbortController();
  #supervision: Promise<void> = Promise.resolve();
  #ports: Readonly<Record<string, number>> = {};

  /** Starts the part. Await `started` before anything that needs it. */
  constructor(spec: PartSpec) {
    this.#spec = spec;
    this.#child = this.#fork();
  }

  /**
   * Resolves when the part listens, with its ports by setting name; they stay the same when it is started
   * again. To be called once.
   * @throws StartError with the part's own line when it does not listen, or is stopped before.
   */
  async started(): Promise<Readonly<Record<string, number>>> {
    this.#ports = await this.#listening(line => new StartError(line));
    this.#supervision = this.#supervise();
    return this.#ports;
  }

  /** Also for a part that is starting. */
  async stop(): Promise<void> {
    this.#stopSignal.abort();
    const child = this.#child;
    const timer = setTimeout(() => child.kill('SIGKILL'), this.#spec.stopGraceMs + KILL_AFTER_GRACE_MS);
    child.kill('SIGTERM');
    await exitOf(child);
    clearTimeout(timer);
    await this.#supervision;
  }

  #stopping(): boolean {
    return this.#stopSignal.signal.aborted;
  }

  async #supervise(): Promise<void> {
    for (;;) {
      const how = await exitOf(this.#child);
      if (this.#stopping()) return;
      this.#spec.say(`${this.#spec.name} ended (${how}), starting it again`);
      await sleep(RESTART_DELAY_MS, this.#stopSignal.signal);
      if (this.#stopping()) return;
      this.#child = this.#fork();
      try {
        await this.#listening(line => new Error(line));
        this.#spec.say(`${this.#spec.name} is back`);
      } catch (err) {
        this.#spec.say((err as Error).message);
      }
    }
  }

  #fork(): ChildProcess {
    const ports = Object.fromEntries(Object.entries(this.#ports).map(([name, port]) => [name, String(port)]));
    const { entry, args, nodeOptions = [] } = this.#spec;
    return fork(entry, [...args], {
      execArgv: [...process.execArgv, ...nodeOptions],
      env: { ...this.#spec.env, ...ports },
      detached: process.platform !== 'win32',
      stdio: ['ignore', 'inherit', 'pipe', 'ipc'],
    });
  }

  #listening(failure: (line: string) => Error): Promise<Readonly<Record<string, number>>> {
    const child = this.#child;
    let complaint = '';
    child.stderr?.setEncoding('utf8').on('data', (text: string) => {
      complaint = (complaint + text).slice(-4000);
    });
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => child.kill('SIGKILL'), START_DEADLINE_MS);
      child.on('message', message => {
        clearTimeout(timer);
        child.stderr?.removeAllListeners('data').pipe(process.stderr, { end: false });
        resolve((message as ListeningMessage).ports);
      });
      child.once('close', (code, signal) => {
        clearTimeout(timer);
        reject(failure(complaint.trim() || `${this.#spec.name} ended with ${code ?? signal ?? 'no status'}`));
      });
    });
  }
}

function exitOf(child: ChildProcess): Promise<string> {
  if (child.exitCode !== null || child.signalCode !== null) return Promise.resolve(statusOf(child));
  return new Promise(resolve => child.once('exit', () => resolve(statusOf(child))));
}

function statusOf(child: ChildProcess): string {
  return child.signalCode ?? `exit code ${child.exitCode ?? 'unknown'}`;
}
