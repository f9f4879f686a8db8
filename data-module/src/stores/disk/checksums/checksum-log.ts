/**
 * Appends entries to a worker's checksum log: what arrives while a batch is synced forms the next one, and one call, which
 * writes and syncs, serves it all.
 */
import { constants } from 'node:fs';
import path from 'node:path';
import { CatalogueError } from '@zenko-modules/common/errors';
import type { Logger } from '@zenko-modules/common/logger';
import { SYNCED_BY_WRITE } from '@zenko-modules/common/synced-write';
import type { BlobChecksum } from '../../../data-store.js';
import { GroupCommit } from '../../group-commit.js';
import { type FileCalls, NEW_FILE, type OpenFile } from '../file-calls.js';
import { writeAll } from '../file-writer.js';
import { encodeEntry } from './checksum-entry.js';

const NEW_LOG = NEW_FILE | constants.O_APPEND | SYNCED_BY_WRITE;

const MAX_BATCH_BYTES = 1024 * 1024;

export interface ChecksumLogOptions {
  readonly calls: FileCalls;
  readonly folder: string;
  readonly worker: number;
  /** Of the newest file that the worker has had. */
  readonly lastNumber: number;
  /** Size at which a file is ended, and the next one begun. */
  readonly maxFileBytes: number;
  /** Makes the folder again when it is missing. */
  readonly restoreFolder: () => Promise<void>;
  readonly log: Logger;
}

interface LogFile {
  readonly name: string;
  readonly path: string;
  readonly file: OpenFile;
  /** That are on stable storage. */
  bytes: number;
  /** Entries of which it is not known yet whether there is such a blob. */
  unsettled: number;
}

/** An entry that waits, as it is written. */
interface Line {
  readonly entry: PendingEntry;
  readonly line: string;
  readonly bytes: number;
}

/** An entry of the log, from before it is written until it is known whether there is such a blob. */
export class PendingEntry {
  readonly #log: ChecksumLog;
  readonly #key: string;
  #state: 'new' | 'waiting' | 'written' | 'failed' = 'new';
  #failure: unknown;
  #onEnd: (() => void) | undefined;
  #isSettled = false;
  #file: LogFile | undefined;

  constructor(log: ChecksumLog, key: string) {
    this.#log = log;
    this.#key = key;
  }

  /** Begins to write it. */
  write({ length, checksum }: BlobChecksum): void {
    this.#state = 'waiting';
    this.#log.append(this, encodeEntry({ key: this.#key, length, checksum }));
  }

  /** Resolves when it is on stable storage. Rejects with the error of the file system, or because the log is closed. */
  async written(): Promise<void> {
    if (this.#state === 'waiting') await new Promise<void>(resolve => (this.#onEnd = resolve));
    if (this.#state === 'failed') throw this.#failure;
  }

  /** To be called when it has been decided whether there is such a blob. */
  settle(): void {
    if (this.#isSettled) return;
    this.#isSettled = true;
    if (this.#file === undefined) return;
    this.#file.unsettled -= 1;
    this.#log.onSettled(this.#file);
  }

  /** By the log: it may be found in this file from now on, whatever becomes of the write. */
  goesTo(file: LogFile): void {
    if (this.#isSettled) return;
    this.#file = file;
    file.unsettled += 1;
  }

  /** By the log: that it is written, or why not. */
  end(failure?: unknown): void {
    this.#state = failure === undefined ? 'written' : 'failed';
    this.#failure = failure;
    this.#onEnd?.();
  }
}

export class ChecksumLog {
  readonly #options: ChecksumLogOptions;
  readonly #entries = new GroupCommit<Line>({
    maxBytes: MAX_BATCH_BYTES,
    write: batch => this.#writeBatch(batch),
  });
  #active: LogFile | undefined;
  #lastNumber: number;
  #isClosed = false;
  /** Names of files that are begun or appended to, or have unsettled entries. */
  readonly #unfinished = new Set<string>();
  #endedFiles = 0;

  constructor(options: ChecksumLogOptions) {
    this.#options = options;
    this.#lastNumber = options.lastNumber;
  }

  /** Files that have been ended since the store was opened. */
  get endedFiles(): number {
    return this.#endedFiles;
  }

  /** Whether every entry of a file is of a blob that is in its place, or never will be, and none will be added. */
  isFinal(name: string): boolean {
    return !this.#unfinished.has(name);
  }

  /** For `PendingEntry`. Never throws. */
  append(entry: PendingEntry, line: string): void {
    if (this.#isClosed) {
      entry.end(new CatalogueError('ServiceUnavailable', 'the store has been closed'));
      return;
    }
    this.#entries.add({ entry, line, bytes: line.length });
  }

  /** For `PendingEntry`. */
  onSettled(file: LogFile): void {
    if (file.unsettled === 0 && file !== this.#active) this.#unfinished.delete(file.name);
  }

  /** The next entry begins a new file, as the one that there is may have been removed, with its folder. */
  endFile(): void {
    const active = this.#active;
    if (active === undefined) return;
    this.#active = undefined;
    active.file.close();
    this.#endedFiles += 1;
    this.onSettled(active);
  }

  /** Whether the file that is appended to is in its place. */
  async isInPlace(): Promise<boolean> {
    if (this.#active === undefined) return true;
    try {
      await this.#options.calls.stat(this.#active.path);
      return true;
    } catch (err) {
      if ((err as NodeJS.ErrnoException).code === 'ENOENT') return false;
      throw err;
    }
  }

  /** Refuses what comes from now on, and finishes what waits. */
  async close(): Promise<void> {
    this.#isClosed = true;
    await this.#entries.idle();
    this.endFile();
  }

  async #writeBatch(batch: readonly Line[]): Promise<void> {
    try {
      const active = this.#active ?? (await this.#create());
      for (const { entry } of batch) entry.goesTo(active);
      await this.#append(active, Buffer.from(batch.map(({ line }) => line).join(''), 'latin1'));
    } catch (err) {
      for (const { entry } of batch) entry.end(err);
      return;
    }
    for (const { entry } of batch) entry.end();
  }

  async #append(active: LogFile, lines: Buffer): Promise<void> {
    const { calls, folder, maxFileBytes } = this.#options;
    try {
      await writeAll([lines], active.file);
      if (SYNCED_BY_WRITE === 0) await active.file.datasync();
      if (active.bytes === 0) await calls.syncFolder(folder);
      active.bytes += lines.length;
    } catch (err) {
      await this.#undo(active);
      throw err;
    }
    // It may have been ended meanwhile.
    if (active.bytes >= maxFileBytes && this.#active === active) this.endFile();
  }

  /** What lies at its end is not known for sure: nothing is appended to it any more. */
  async #undo(active: LogFile): Promise<void> {
    const { calls, log } = this.#options;
    try {
      if (active.bytes > 0) await active.file.truncate(active.bytes);
      else await calls.unlink(active.path);
    } catch (err) {
      log.warn({ err, file: active.path }, 'what a failed write left in a checksum log stays there');
    }
    if (this.#active === active) this.endFile();
  }

  async #create(): Promise<LogFile> {
    const { calls, folder, worker, restoreFolder } = this.#options;
    let isRestored = false;
    for (;;) {
      const number = Math.max(Date.now(), this.#lastNumber + 1);
      this.#lastNumber = number;
      const name = `${worker}.${number}`;
      const file = path.join(folder, name);
      // Before others can see it: without an entry it looks like one to be removed.
      this.#unfinished.add(name);
      try {
        this.#active = { name, path: file, file: await calls.open(file, NEW_LOG), bytes: 0, unsettled: 0 };
        return this.#active;
      } catch (err) {
        this.#unfinished.delete(name);
        const { code } = err as NodeJS.ErrnoException;
        if (code === 'ENOENT' && !isRestored) {
          isRestored = true;
          await restoreFolder();
        } else if (code !== 'EEXIST') throw err;
      }
    }
  }
}
