/** A daemon as a child process that is watched: it lives, answers, keeps within its memory, and leaves no rejection unhandled. */
import { readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { performance } from 'node:perf_hooks';
import { messageOf } from '@zenko-modules/common/errors';
import { type DaemonProcess, startDaemon } from '@zenko-modules/common/testing/daemon-process';
import { Finding, type FuzzOptions, type Owner } from './target.js';

const UNHANDLED = /unhandled|uncaught|MaxListenersExceeded/i;
/** A timer of ours that is so late says that the machine stood still, not the daemon. */
const STANDSTILL_MS = 1000;
const OUTPUT_TAIL = 4000;
const HANGS = 'hangs';

export const entryOf = (file: string): string => fileURLToPath(new URL(`../../../${file}`, import.meta.url));

export interface WatchedSpec {
  /** Relative to the project. */
  readonly entry: string;
  readonly args?: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  readonly maxMemoryBytes: number;
  /** A request that is good, and is answered as it should. */
  readonly probe: (ports: Readonly<Record<string, number>>) => Promise<void>;
}

export class WatchedDaemon {
  readonly #daemon: DaemonProcess;
  readonly #spec: WatchedSpec;
  readonly #options: FuzzOptions;
  #ended = false;
  #peak = 0;

  private constructor(daemon: DaemonProcess, spec: WatchedSpec, options: FuzzOptions) {
    this.#daemon = daemon;
    this.#spec = spec;
    this.#options = options;
    void daemon.exited.then(() => (this.#ended = true));
  }

  static async start(owner: Owner, spec: WatchedSpec, options: FuzzOptions): Promise<WatchedDaemon> {
    const { env, args = [] } = spec;
    const daemon = await startDaemon(owner, { entry: entryOf(spec.entry), args, env });
    const watched = new WatchedDaemon(daemon, spec, options);
    owner.after(() => options.note(`${spec.entry} held at most ${watched.#peak >> 20} MiB`));
    return watched;
  }

  get ports(): Readonly<Record<string, number>> {
    return this.#daemon.ports;
  }

  /** Resolves when it has ended. */
  get exited(): Promise<unknown> {
    return this.#daemon.exited;
  }

  /** Resolves when the output holds `pattern`. */
  printed(pattern: RegExp): Promise<void> {
    return this.#daemon.printed(pattern);
  }

  output(): string {
    return this.#daemon.output().slice(-OUTPUT_TAIL);
  }

  /** @throws Finding when it has ended, hangs, holds too much memory, or let a rejection pass */
  async check(): Promise<void> {
    await this.#probe();
    const output = this.output();
    if (this.#ended) throw new Finding(`${this.#spec.entry} ended`, output);
    if (UNHANDLED.test(output)) throw new Finding(`${this.#spec.entry} left something unhandled`, output);
    const bytes = await residentBytes(this.#daemon.pid);
    this.#peak = Math.max(this.#peak, bytes);
    if (bytes > this.#spec.maxMemoryBytes) {
      throw new Finding(`${this.#spec.entry} holds ${bytes >> 20} MiB`, output);
    }
  }

  async #probe(): Promise<void> {
    const { hangMs } = this.#options;
    const late = new Lateness(hangMs);
    const answered = this.#spec.probe(this.ports).then(
      () => undefined,
      (err: unknown) => messageOf(err),
    );
    const outcome = await Promise.race([answered, late.passed.then(() => HANGS)]);
    late.stop();
    if (outcome === undefined) return;
    if (this.#ended) throw new Finding(`${this.#spec.entry} ended`, this.output());
    if (outcome !== HANGS) {
      throw new Finding(`${this.#spec.entry} fails a good request: ${outcome}`, this.output());
    }
    throw new Finding(`${this.#spec.entry} does not answer a good request in ${hangMs} ms`, this.output());
  }
}

/** Passes after `ms` in which this process itself was not kept waiting. */
class Lateness {
  readonly passed: Promise<void>;
  #timer: NodeJS.Timeout | undefined;

  constructor(ms: number) {
    this.passed = new Promise(resolve => {
      const step = Math.min(ms, 250);
      let left = ms;
      let due = performance.now() + step;
      const tick = (): void => {
        const late = performance.now() - due;
        if (late < STANDSTILL_MS) left -= step;
        if (left <= 0) {
          resolve();
          return;
        }
        due = performance.now() + step;
        this.#timer = setTimeout(tick, step);
      };
      this.#timer = setTimeout(tick, step);
    });
  }

  stop(): void {
    clearTimeout(this.#timer);
  }
}

async function residentBytes(pid: number): Promise<number> {
  try {
    const status = await readFile(`/proc/${pid}/status`, 'utf8');
    return Number(/^VmRSS:\s+(\d+) kB/m.exec(status)?.[1] ?? 0) * 1024;
  } catch {
    // Where there is no /proc nothing is known of it.
    return 0;
  }
}
