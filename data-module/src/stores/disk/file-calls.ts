/**
 * The calls to the file system that the disk store makes, each with an end. A mount that hangs gives no answer, ever:
 * a call is given up when the volume has answered none at all for the time limit, or when it alone takes many times as
 * long. While nothing is answered, one call at a time tries; the others are refused at once.
 *
 * The system goes on with a call that was given up. So a file is closed only when no call on it is left, and what such a
 * call has made is undone when it is made after all.
 */
import fs, { constants } from 'node:fs';
import { CatalogueError } from '@zenko-modules/common/errors';
import type { Lease } from './aligned-buffers.js';

/** For `open`: makes a file to be written, and fails where there is one. */
export const NEW_FILE = constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL;

const TICK_MS = 500;

/** A call may take this many times the limit while others are answered: many may be waiting for a slow disk. */
const BUSY_FACTOR = 10;

type Done<T> = (err: NodeJS.ErrnoException | null, value: T) => void;

/** For the calls of Node.js that answer with an error or nothing. */
function withoutValue(done: Done<undefined>): (err: NodeJS.ErrnoException | null) => void {
  return err => done(err, undefined);
}

interface CallOptions<T> {
  /** Undoes what a call has made that was given up. */
  readonly undo?: (value: T) => void;
  /** For what tidies up: it is handed to the system even if nothing is answered at the moment. */
  readonly always?: boolean;
}

interface PendingCall {
  readonly since: number;
  isGivenUp: boolean;
  readonly reject: (err: Error) => void;
}

export class FileCalls {
  readonly #limitTicks: number;
  readonly #limitMs: number;
  readonly #timer: NodeJS.Timeout;
  readonly #pending = new Set<PendingCall>();
  readonly #closesAtOnce: boolean;
  #tick = 0;
  #lastAnswer = 0;
  #isStalled = false;

  /** @param closesAtOnce closing a file without unsynced bytes never waits, so it need not go through a thread */
  constructor(limitMs: number, closesAtOnce = false) {
    this.#limitMs = limitMs;
    this.#closesAtOnce = closesAtOnce;
    this.#limitTicks = Math.ceil(limitMs / TICK_MS);
    this.#timer = setInterval(() => this.#onTick(), TICK_MS);
    this.#timer.unref();
  }

  /** Ends the watch over the calls. Those that are pending still settle when the system answers. */
  stop(): void {
    clearInterval(this.#timer);
  }

  async open(path: string, flags: number | string): Promise<OpenFile> {
    const fd = await this.call<number>(done => fs.open(path, flags, 0o666, done), {
      undo: late => fs.close(late),
    });
    const isCached = typeof flags === 'string' || (flags & constants.O_DIRECT) === 0;
    return new OpenFile(this, fd, this.#closesAtOnce, isCached);
  }

  rename(from: string, to: string): Promise<void> {
    return this.call<undefined>(done => fs.rename(from, to, withoutValue(done)), {
      undo: () => fs.unlink(to, () => undefined),
    });
  }

  unlink(path: string): Promise<void> {
    return this.call<undefined>(done => fs.unlink(path, withoutValue(done)), { always: true });
  }

  mkdir(path: string): Promise<void> {
    return this.call<undefined>(done => fs.mkdir(path, withoutValue(done)));
  }

  readFile(path: string): Promise<string> {
    return this.call<string>(done => fs.readFile(path, 'utf8', done));
  }

  readdir(path: string): Promise<string[]> {
    return this.call<string[]>(done => fs.readdir(path, done));
  }

  stat(path: string): Promise<fs.Stats> {
    return this.call<fs.Stats>(done => fs.stat(path, done));
  }

  access(path: string, mode: number): Promise<void> {
    return this.call<undefined>(done => fs.access(path, mode, withoutValue(done)));
  }

  statfs(path: string): Promise<fs.StatsFs> {
    return this.call<fs.StatsFs>(done => fs.statfs(path, done));
  }

  /** Brings the names in a folder to stable storage. */
  async syncFolder(path: string): Promise<void> {
    const folder = await this.open(path, constants.O_RDONLY);
    try {
      await folder.sync();
    } finally {
      folder.close();
    }
  }

  /**
   * @param start begins the call. It gets a function to be called with the answer.
   * Rejects with `ServiceUnavailable` when the volume does not answer.
   */
  call<T>(start: (done: Done<T>) => void, options: CallOptions<T> = {}): Promise<T> {
    return new Promise<T>((resolve, reject) => {
      if (this.#isStalled && this.#pending.size > 0 && options.always !== true) {
        reject(this.#noAnswer());
        return;
      }
      const pending: PendingCall = { since: this.#tick, isGivenUp: false, reject };
      this.#pending.add(pending);
      start((err, value) => {
        this.#pending.delete(pending);
        this.#lastAnswer = this.#tick;
        this.#isStalled = false;
        if (err !== null) reject(err);
        else if (pending.isGivenUp) options.undo?.(value);
        else resolve(value);
      });
    });
  }

  #onTick(): void {
    this.#tick += 1;
    const silence = this.#tick - this.#lastAnswer;
    for (const pending of this.#pending) {
      const age = this.#tick - pending.since;
      // They stand in the order in which they began.
      if (age <= this.#limitTicks) break;
      if (silence <= this.#limitTicks && age <= this.#limitTicks * BUSY_FACTOR) continue;
      if (silence > this.#limitTicks) this.#isStalled = true;
      pending.isGivenUp = true;
      this.#pending.delete(pending);
      pending.reject(this.#noAnswer());
    }
  }

  #noAnswer(): CatalogueError {
    return new CatalogueError('ServiceUnavailable', `the volume has not answered for ${this.#limitMs} ms`);
  }
}

/** An open file of the volume. */
export class OpenFile {
  readonly #calls: FileCalls;
  readonly #fd: number;
  readonly #closesAtOnce: boolean;
  readonly #isCached: boolean;
  #running = 0;
  #isClosing = false;
  #isDirty = false;

  constructor(calls: FileCalls, fd: number, closesAtOnce: boolean, isCached: boolean) {
    this.#calls = calls;
    this.#fd = fd;
    this.#closesAtOnce = closesAtOnce;
    this.#isCached = isCached;
  }

  /** Its number, which is its own until it is closed. */
  get fd(): number {
    return this.#fd;
  }

  /** Resolves with how many bytes were read, fewer than `length` only at the end of the file. */
  read(buffer: Buffer, length: number, position: number): Promise<number> {
    return this.#call<number>(done => fs.read(this.#fd, buffer, 0, length, position, done));
  }

  /** The same at once: everything waits for it. */
  readNow(buffer: Buffer, length: number, position: number): number {
    if (this.#isClosing) throw closed();
    return fs.readSync(this.#fd, buffer, 0, length, position);
  }

  async size(): Promise<number> {
    return (await this.#call<fs.Stats>(done => fs.fstat(this.#fd, done))).size;
  }

  /** Appends some of the bytes; resolves with how many. */
  write(buffers: readonly Buffer[]): Promise<number> {
    this.#isDirty = true;
    const [first] = buffers;
    return this.#call<number>(done =>
      buffers.length === 1 && first !== undefined
        ? fs.write(this.#fd, first, 0, first.length, null, done)
        : fs.writev(this.#fd, buffers, done),
    );
  }

  /** Writes some of `bytes`, which lie in what is lent, at `position`; resolves with how many. */
  writeAt(bytes: Buffer, position: number, lease: Lease): Promise<number> {
    this.#isDirty = this.#isCached;
    return this.#call<number>(done => {
      // The system reads them until it answers, even if the call is given up before.
      lease.hold();
      fs.write(this.#fd, bytes, 0, bytes.length, position, (err, count) => {
        lease.release();
        done(err, count);
      });
    });
  }

  datasync(): Promise<void> {
    return this.#call<undefined>(done => fs.fdatasync(this.#fd, withoutValue(done)));
  }

  truncate(size: number): Promise<void> {
    return this.#call<undefined>(done => fs.ftruncate(this.#fd, size, withoutValue(done)));
  }

  async sync(): Promise<void> {
    await this.#call<undefined>(done => fs.fsync(this.#fd, withoutValue(done)));
    this.#isDirty = false;
  }

  /** Closes the file as soon as no call on it is left: until then its number must not be given to another. */
  close(): void {
    if (this.#isClosing) return;
    this.#isClosing = true;
    if (this.#running === 0) this.#release();
  }

  #release(): void {
    if (this.#closesAtOnce && !this.#isDirty) fs.closeSync(this.#fd);
    else fs.close(this.#fd, () => undefined);
  }

  #call<T>(start: (done: Done<T>) => void): Promise<T> {
    if (this.#isClosing) return Promise.reject(closed());
    this.#running += 1;
    return this.#calls.call<T>(done =>
      start((err, value) => {
        this.#running -= 1;
        if (this.#isClosing && this.#running === 0) this.#release();
        done(err, value);
      }),
    );
  }
}

/** Its number may be that of another file by now. */
function closed(): CatalogueError {
  return new CatalogueError('InternalError', 'the file is closed');
}
