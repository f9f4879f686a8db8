/**
 * All keys of a volume with their checksums. The folders of blobs are gone through in ranges: before each the logs are read
 * once, and the journal, which has the checksums of blobs that have come last, and what they hold of blobs in these
 * folders is in memory until the next.
 */
import path from 'node:path';
import { CatalogueError } from '@zenko-modules/common/errors';
import type { Logger } from '@zenko-modules/common/logger';
import type { CheckedKey } from '../../../data-store.js';
import { blobKeys } from '../blob-keys.js';
import { blobFile, FOLDERS, folderNumber } from '../disk-layout.js';
import type { FileCalls } from '../file-calls.js';
import type { Volume } from '../volume.js';
import { listJournal, readJournal } from '../journal/journal-files.js';
import { ChecksumTable } from './checksum-table.js';
import { listLogs, type LogName, readLog } from './log-files.js';
import { Pace } from './pace.js';

/** Entries of a range, about: 20 MB of table. */
const RANGE_ENTRIES = 500_000;
/** An entry is hardly ever shorter. */
const ENTRY_BYTES = 60;
/** Should most blobs lie in few folders, as they do in no volume of real keys. */
const MAX_FACTOR = 2;
/**
 * A blob may have come after the logs were read when its last byte was written less than so long before: for so long its
 * sync may take, and clocks of file servers may differ.
 */
const YOUNG_MS = 10 * 60_000;

const UNREADABLE: ReadonlySet<string> = new Set(['EIO', 'EISDIR', 'EACCES', 'EPERM']);

export interface CheckedKeysOptions {
  readonly calls: FileCalls;
  readonly volume: Pick<Volume, 'path' | 'check'>;
  readonly folder: string;
  readonly journal: string;
  readonly log: Logger;
  /** For tests: entries of a range. */
  readonly rangeEntries?: number;
}

export async function* checkedKeys(options: CheckedKeysOptions): AsyncGenerator<CheckedKey, void, undefined> {
  const { calls, volume, rangeEntries = RANGE_ENTRIES } = options;
  const reported = new Set<string>();
  const entries = (await logBytes(options)) / ENTRY_BYTES;
  const folders = Math.max(1, Math.floor(FOLDERS / Math.max(1, entries / rangeEntries)));
  for (let first = 0; first < FOLDERS; first += folders) {
    const end = Math.min(FOLDERS, first + folders);
    const began = Date.now();
    const range = new RangeChecksums(options, reported, key => {
      const number = folderNumber(key);
      return number >= first && number < end;
    });
    await range.read();
    for await (const key of blobKeys(volume, first, end)) {
      let checksums = range.table.find(key);
      if (checksums.length === 0 && (await writtenAt(calls, blobFile(volume.path, key))) > began - YOUNG_MS) {
        await range.read();
        checksums = range.table.find(key);
      }
      yield { key, checksums };
    }
  }
}

async function logBytes({ calls, folder }: CheckedKeysOptions): Promise<number> {
  let bytes = 0;
  for (const { name } of await listLogs(calls, folder))
    bytes += await unlessGone(async () => (await calls.stat(path.join(folder, name))).size, 0);
  return bytes;
}

/** Long ago, when that cannot be told: whoever reads the blob meets the same failure. */
async function writtenAt(calls: FileCalls, file: string): Promise<number> {
  try {
    return (await calls.stat(file)).mtimeMs;
  } catch (err) {
    if (err instanceof CatalogueError) throw err;
    return 0;
  }
}

/** What the logs hold of some of the keys. */
class RangeChecksums {
  readonly table: ChecksumTable;
  readonly #options: CheckedKeysOptions;
  /** Files whose damage has been logged. */
  readonly #reported: Set<string>;
  readonly #isWanted: (key: string) => boolean;
  /** How far each file has been read: names of the journal's files are none of logs'. */
  readonly #read = new Map<string, number>();
  /** The newest file of each worker, which may have grown. */
  #newest: ReadonlyMap<number, string> = new Map();

  constructor(options: CheckedKeysOptions, reported: Set<string>, isWanted: (key: string) => boolean) {
    const { rangeEntries = RANGE_ENTRIES } = options;
    this.table = new ChecksumTable(rangeEntries * MAX_FACTOR);
    this.#options = options;
    this.#reported = reported;
    this.#isWanted = isWanted;
  }

  /** Reads what has come since the last time. */
  async read(): Promise<void> {
    const { calls, folder } = this.#options;
    for (let isComplete = false; !isComplete;) {
      isComplete = true;
      // First: when a file of the journal goes, what it says is in the logs.
      await this.#readJournal();
      const logs = await listLogs(calls, folder);
      const grown = new Set(this.#newest.values());
      this.#newest = new Map(logs.map(({ worker, name }) => [worker, name]));
      for (const log of logs) {
        if (this.#read.has(log.name) && !grown.has(log.name)) continue;
        // What was in a file that is cleaned away is in another one by then.
        const isThere = await unlessGone(() => this.#readFile(log), false);
        isComplete = isComplete && isThere;
      }
    }
  }

  async #readJournal(): Promise<void> {
    const { calls, journal } = this.#options;
    for (const { name, base } of await listJournal(calls, journal)) {
      const start = this.#read.get(base) ?? 0;
      await unlessGone(async () => {
        for await (const record of readJournal(calls, path.join(journal, name), { start })) {
          this.#read.set(base, record.end);
          if (record.kind === 'blob' && this.#isWanted(record.key)) this.table.add(record.key, record);
        }
      }, undefined);
    }
  }

  async #readFile({ name }: LogName): Promise<true> {
    const { calls, folder } = this.#options;
    const pace = new Pace();
    const start = this.#read.get(name) ?? 0;
    this.#read.set(name, start);
    try {
      for await (const { entries, damaged, end } of readLog(calls, path.join(folder, name), start)) {
        this.#read.set(name, end);
        if (damaged > 0) this.#report(name, 'entries of a checksum log are damaged');
        for (const entry of entries) {
          if (!this.#isWanted(entry.key) || this.table.add(entry.key, entry)) continue;
          this.#report(name, 'too many blobs lie in the same folders for the memory of the scrub');
        }
        await pace.rest();
      }
    } catch (err) {
      if (!UNREADABLE.has((err as NodeJS.ErrnoException).code ?? '')) throw err;
      this.#report(name, 'a checksum log cannot be read', err);
    }
    return true;
  }

  #report(name: string, what: string, err?: unknown): void {
    if (this.#reported.has(name)) return;
    this.#reported.add(name);
    this.#options.log.warn({ err, log: name }, `${what}: its blobs are read, but not compared`);
  }
}

async function unlessGone<T>(work: () => Promise<T>, otherwise: T): Promise<T> {
  try {
    return await work();
  } catch (err) {
    if ((err as NodeJS.ErrnoException).code === 'ENOENT') return otherwise;
    throw err;
  }
}
