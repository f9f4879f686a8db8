/** The thread that makes files for the store, seen from the store. It is started when it is needed first. */
import { Worker } from 'node:worker_threads';
import type { FileCalls } from '../file-calls.js';
import type { FromThread, ThreadStart, ToThread } from './thread-messages.js';

const THREAD = new URL('applier-thread.js', import.meta.url);
/** MiB. It holds a batch, and nothing else. */
const LIMITS = { maxYoungGenerationSizeMb: 8, maxOldGenerationSizeMb: 32 };

/** Why what a record says could not be done, as the file system's own error; `undefined` when it is done. */
export type Outcome = readonly (NodeJS.ErrnoException | undefined)[];

type Answered = (err: Error | null, failures: FromThread['failures']) => void;

export class Applier {
  readonly #calls: FileCalls;
  readonly #start: ThreadStart;
  readonly #awaited = new Map<number, Answered>();
  #thread: Worker | undefined;
  #lastId = 0;

  constructor(calls: FileCalls, start: ThreadStart) {
    this.#calls = calls;
    this.#start = start;
  }

  /**
   * Does what the records say, in their order, without a sync. Rejects when that is not known: no more of it is done then, but
   * after a CatalogueError ServiceUnavailable (the disk does not answer), when `undo` is called if it is done after all.
   */
  async apply(records: readonly Buffer[], undo: () => void): Promise<Outcome> {
    const message: ToThread = { id: (this.#lastId += 1), records: joined(records) };
    const start = (done: Answered): void => this.#send(message, done);
    const failures = new Map(await this.#calls.call<FromThread['failures']>(start, { undo }));
    return records.map((_, index) => {
      const failure = failures.get(index);
      if (failure === undefined) return undefined;
      const { code, message } = failure;
      return Object.assign(new Error(message), code === undefined ? {} : { code });
    });
  }

  async stop(): Promise<void> {
    const thread = this.#thread;
    this.#thread = undefined;
    const ended = thread?.terminate();
    // One that waits for a disk that does not answer ends with the process.
    if (this.#awaited.size === 0) await ended;
  }

  #send(message: ToThread, done: Answered): void {
    this.#thread ??= this.#begin();
    this.#awaited.set(message.id, done);
    this.#thread.ref();
    this.#thread.postMessage(message, [message.records.buffer]);
  }

  #begin(): Worker {
    const thread = new Worker(THREAD, {
      workerData: this.#start,
      resourceLimits: LIMITS,
      execArgv: [],
      trackUnmanagedFds: false,
    });
    thread.on('message', ({ id, failures }: FromThread) => this.#answer(id, null, failures));
    let reason: Error | undefined;
    thread.on('error', err => (reason = err));
    thread.on('exit', () => {
      if (this.#thread === thread) this.#thread = undefined;
      const cause = reason ?? new Error('the thread that makes files has ended');
      for (const id of [...this.#awaited.keys()]) this.#answer(id, cause, []);
    });
    return thread;
  }

  #answer(id: number, err: Error | null, failures: FromThread['failures']): void {
    const done = this.#awaited.get(id);
    this.#awaited.delete(id);
    // A process that has nothing else to do may end.
    if (this.#awaited.size === 0) this.#thread?.unref();
    done?.(err, failures);
  }
}

/** In memory that can be handed to a thread. */
function joined(records: readonly Buffer[]): Uint8Array<ArrayBuffer> {
  const all = new Uint8Array(records.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const record of records) {
    all.set(record, at);
    at += record.length;
  }
  return all;
}
