/** The thread that writes for the store, seen from the store. It is started when it is needed first. */
import { Worker } from 'node:worker_threads';
import type { FileCalls } from '../file-calls.js';
import type { CallFailure, FromThread, ThreadStart, ToThread } from './thread-messages.js';

const THREAD = new URL('journal-thread.js', import.meta.url);
/** MiB. It holds a batch, and nothing else. */
const LIMITS = { maxYoungGenerationSizeMb: 8, maxOldGenerationSizeMb: 32 };

export interface JournalFile {
  readonly path: string;
  /** Open from before its first record until whoever owns it closes it. */
  fd: number | undefined;
}

export type Outcome = readonly (readonly [number, CallFailure])[];

type Answered = (err: Error | null, answer: Outcome) => void;

export class JournalWriter {
  readonly #calls: FileCalls;
  readonly #start: ThreadStart;
  readonly #awaited = new Map<number, Answered>();
  readonly #files = new Map<number, JournalFile>();
  #thread: Worker | undefined;
  #lastId = 0;

  constructor(calls: FileCalls, start: ThreadStart) {
    this.#calls = calls;
    this.#start = start;
  }

  /**
   * Appends the records to the journal's file and does what they say. Resolves, when they are on stable storage, with what could
   * not be done. Rejects when they are not in the journal.
   * @param undo is called when they are done after all, although the caller was told that the disk does not answer
   */
  write(file: JournalFile, batch: readonly Buffer[], undo: () => void): Promise<Outcome> {
    const records = joined(batch);
    return this.#calls.call<Outcome>(
      done => {
        const id = (this.#lastId += 1);
        this.#files.set(id, file);
        this.#send({ id, path: file.path, records }, done, [records.buffer]);
      },
      { undo },
    );
  }

  /** Resolves when all that was asked before has been done or has failed. */
  async finish(): Promise<void> {
    if (this.#thread === undefined) return;
    await this.#calls.call<Outcome>(done => this.#send({ id: (this.#lastId += 1) }, done));
  }

  async stop(): Promise<void> {
    const thread = this.#thread;
    this.#thread = undefined;
    const ended = thread?.terminate();
    // One that waits for a disk that does not answer ends with the process.
    if (this.#awaited.size === 0) await ended;
  }

  #send(message: ToThread, done: Answered, transfer: ArrayBuffer[] = []): void {
    this.#thread ??= this.#begin();
    this.#awaited.set(message.id, done);
    this.#thread.ref();
    this.#thread.postMessage(message, transfer);
  }

  #begin(): Worker {
    const thread = new Worker(THREAD, {
      workerData: this.#start,
      resourceLimits: LIMITS,
      execArgv: [],
      trackUnmanagedFds: false,
    });
    thread.on('message', ({ id, opened, failure, failures = [] }: FromThread) => {
      // Also when the caller was told that the disk does not answer.
      const file = this.#files.get(id);
      if (file !== undefined && opened !== undefined) file.fd = opened;
      this.#files.delete(id);
      this.#answer(id, failure === undefined ? null : errorOf(failure), failures);
    });
    let reason: Error | undefined;
    thread.on('error', err => (reason = err));
    thread.on('exit', () => {
      if (this.#thread === thread) this.#thread = undefined;
      const cause = reason ?? new Error('the thread that writes has ended');
      for (const id of [...this.#awaited.keys()]) this.#answer(id, cause, []);
    });
    return thread;
  }

  #answer(id: number, err: Error | null, outcome: Outcome): void {
    const done = this.#awaited.get(id);
    this.#awaited.delete(id);
    // A process that has nothing else to do may end.
    if (this.#awaited.size === 0) this.#thread?.unref();
    done?.(err, outcome);
  }
}

/** As the file system's own. */
export function errorOf({ code, message }: CallFailure): NodeJS.ErrnoException {
  return Object.assign(new Error(message), code === undefined ? {} : { code });
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
