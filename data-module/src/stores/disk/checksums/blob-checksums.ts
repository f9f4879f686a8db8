/** The checksums that a disk store keeps of its blobs: CHECKSUMS.md says what lies where, and what is durable when. */
import path from 'node:path';
import type { Logger } from '@zenko-modules/common/logger';
import type { CheckedKey } from '../../../data-store.js';
import type { WorkerPlace } from '../../plugin.js';
import { CHECKSUMS_FOLDER, JOURNAL_FOLDER } from '../disk-layout.js';
import type { FileCalls } from '../file-calls.js';
import type { Volume } from '../volume.js';
import { checkedKeys } from './checked-keys.js';
import { ChecksumLog, PendingEntry } from './checksum-log.js';
import { LogCleaner } from './log-cleaner.js';
import { listLogs } from './log-files.js';

export interface ChecksumOptions {
  /** Size at which a file of the log is ended. */
  readonly maxFileBytes?: number;
  /** Time between two looks for entries of blobs that are gone. */
  readonly pauseMs?: number;
  /** Entries that are in memory at once, about, while all are read. */
  readonly rangeEntries?: number;
}

const MAX_FILE_BYTES = 4 * 1024 * 1024;
const PAUSE_MS = 60_000;

export class BlobChecksums {
  readonly #checksums: ChecksumLog;
  readonly #cleaner: LogCleaner;
  readonly #keys: () => AsyncIterable<CheckedKey>;

  private constructor(checksums: ChecksumLog, cleaner: LogCleaner, keys: () => AsyncIterable<CheckedKey>) {
    this.#checksums = checksums;
    this.#cleaner = cleaner;
    this.#keys = keys;
  }

  static async open(
    volume: Volume,
    calls: FileCalls,
    worker: WorkerPlace,
    log: Logger,
    options: ChecksumOptions = {},
  ): Promise<BlobChecksums> {
    const { maxFileBytes = MAX_FILE_BYTES, pauseMs = PAUSE_MS, rangeEntries } = options;
    const folder = path.join(volume.path, CHECKSUMS_FOLDER);
    const journal = path.join(volume.path, JOURNAL_FOLDER);
    const own = (await listLogs(calls, folder)).filter(file => file.worker === worker.index);
    const checksums = new ChecksumLog({
      calls,
      folder,
      worker: worker.index,
      lastNumber: own.at(-1)?.number ?? 0,
      maxFileBytes,
      restoreFolder: () => volume.restoreFolders(),
      log,
    });
    const cleaner = new LogCleaner({ calls, volume, folder, worker, checksums, maxFileBytes, pauseMs, log });
    const keys = (): AsyncIterable<CheckedKey> =>
      checkedKeys({
        calls,
        volume,
        folder,
        journal,
        log,
        ...(rangeEntries && { rangeEntries }),
      });
    return new BlobChecksums(checksums, cleaner, keys);
  }

  /** The entry of an upload; nothing is written before the checksum is known. */
  begin(key: string): PendingEntry {
    this.#cleaner.noteUse();
    return new PendingEntry(this.#checksums, key);
  }

  noteDeletion(): void {
    this.#cleaner.noteUse();
  }

  /** The folder may have been removed. */
  renew(): void {
    this.#checksums.endFile();
  }

  keys(): AsyncIterable<CheckedKey> {
    return this.#keys();
  }

  /** Takes out entries of blobs that are gone, where it is worth it, now. */
  clean(): Promise<void> {
    return this.#cleaner.cleanAll();
  }

  /** Finishes what waits to be written. */
  async close(): Promise<void> {
    await this.#cleaner.close();
    await this.#checksums.close();
  }
}
