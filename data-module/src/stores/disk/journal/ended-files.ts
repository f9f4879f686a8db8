/**
 * Files of the journal to which nothing is added any more: the volume is synced, which brings what they say to stable storage in its
 * place, and then they go.
 */
import fs from 'node:fs';
import path from 'node:path';
import { CatalogueError } from '@zenko-modules/common/errors';
import type { Logger } from '@zenko-modules/common/logger';
import type { BlobChecksums } from '../checksums/blob-checksums.js';
import { blobFile } from '../disk-layout.js';
import type { FileCalls, OpenFile } from '../file-calls.js';
import type { Volume } from '../volume.js';
import { type JournalName, listJournal, readJournal, renameJournal } from './journal-files.js';
import { syncVolume } from './sync-volume.js';

/** Entries that are in memory at once. */
const ENTRIES = 512;

export interface EndedFile {
  readonly base: string;
  readonly name: string;
  readonly bytes: number;
  /** Open since before the first write of what it says; closed when it is synced. */
  readonly file: OpenFile;
}

interface DoneFile {
  readonly name: string;
  /** Other workers' files that may hold blobs which this one deletes. */
  readonly others: readonly string[];
}

export interface EndedFilesOptions {
  readonly folder: string;
  readonly calls: FileCalls;
  readonly volume: Volume;
  readonly checksums: BlobChecksums;
  readonly log: Logger;
}

export class EndedFiles {
  readonly #options: EndedFilesOptions;
  readonly #ended: EndedFile[] = [];
  #done: DoneFile[] = [];
  /** What the disk has lost may be of any file: none is given up any more. */
  #hasFailed = false;

  constructor(options: EndedFilesOptions) {
    this.#options = options;
  }

  /** Of files that wait for a sync of the volume. */
  get unsyncedBytes(): number {
    return this.#ended.reduce((sum, { bytes }) => sum + bytes, 0);
  }

  /** Files that wait for a sync of the volume, each of them open. */
  get unsynced(): number {
    return this.#ended.length;
  }

  get count(): number {
    return this.#ended.length + this.#done.length;
  }

  /** All that the file says has been done, and nothing is added to it. */
  add(file: EndedFile): void {
    this.#ended.push(file);
  }

  /** One that was synced before a crash, or an end. */
  async addDone(name: string): Promise<void> {
    this.#done.push({ name, others: await this.#others(name) });
  }

  /** Resolves with `false` when the disk did not take something: nothing of it is given up, but the journal is of no use then. */
  async sync(): Promise<boolean> {
    for (const ended of [...this.#ended]) {
      const { folder, calls } = this.#options;
      await unlessGone(noteChecksums(this.#options, path.join(folder, ended.name)));
      const outcome = await this.#syncOne(ended);
      this.#hasFailed ||= outcome === 'failed';
      // Somebody may have removed it. What it says had to be synced all the same.
      const name = await unlessGone(
        renameJournal(calls, folder, ended, outcome === 'synced' ? 'done' : 'suspect'),
      );
      if (outcome === 'synced' && name !== undefined) await this.addDone(name);
      this.#ended.splice(this.#ended.indexOf(ended), 1);
      ended.file.close();
    }
    await this.#removeDone();
    return this.isSound;
  }

  /** Whether the disk has taken all so far, as `sync` tells, also where that rejected. */
  get isSound(): boolean {
    return !this.#hasFailed;
  }

  async #syncOne(ended: EndedFile): Promise<'synced' | 'failed'> {
    if (this.#hasFailed) return 'failed';
    const outcome = await syncVolume(ended.file.fd);
    return outcome === 'unknown' ? this.#syncEach(ended) : outcome;
  }

  /** Closes what is left to the next start. */
  close(): void {
    for (const { file } of this.#ended.splice(0)) file.close();
  }

  /** Where the volume cannot be synced as a whole. */
  async #syncEach({ name, file }: EndedFile): Promise<'synced' | 'failed'> {
    const { folder, calls, volume } = this.#options;
    try {
      const [ours, found] = [fs.fstatSync(file.fd).dev, (await calls.stat(folder)).dev];
      // What was written can be reached no more by its names.
      if (ours !== found) return 'failed';
      await unlessGone(
        (async () => {
          for await (const { kind, key } of readJournal(calls, path.join(folder, name)))
            if (kind === 'blob') await unlessGone(syncFile(calls, blobFile(volume.path, key)));
        })(),
      );
      // The file system enters things in order: what is deleted is on stable storage when what came later is.
      await calls.syncFolder(folder);
      await file.sync();
      return 'synced';
    } catch (err) {
      if (err instanceof CatalogueError) throw err;
      return 'failed';
    }
  }

  /**
   * A file that says that a blob is deleted must not go before the one that says what was in it, which is another worker's
   * when that got the upload: a crash would bring the blob back.
   */
  async #removeDone(): Promise<void> {
    const { folder, calls } = this.#options;
    const left: DoneFile[] = [];
    const undone = new Set(this.#done.length > 0 ? await undoneFiles(calls, folder) : []);
    for (const file of this.#done) {
      if (file.others.some(base => undone.has(base))) left.push(file);
      else await calls.unlink(path.join(folder, file.name));
    }
    this.#done = left;
  }

  async #others(name: string): Promise<string[]> {
    const [worker = ''] = name.split('.', 1);
    const { folder, calls } = this.#options;
    return (await undoneFiles(calls, folder)).filter(base => !base.startsWith(`${worker}.`));
  }
}

/** Those whose blobs a start would put in their place. */
async function undoneFiles(calls: FileCalls, folder: string): Promise<string[]> {
  const files: JournalName[] = await listJournal(calls, folder);
  return files.filter(({ state }) => state !== 'done').map(({ base }) => base);
}

/** Resolves when the checksums of all blobs of the file are on stable storage where those of other blobs are. */
export async function noteChecksums(
  { calls, checksums, log }: Pick<EndedFilesOptions, 'calls' | 'checksums' | 'log'>,
  file: string,
): Promise<void> {
  let group: { key: string; length: number; checksum: number }[] = [];
  const write = async (): Promise<void> => {
    const entries = group.map(({ key, length, checksum }) => {
      const entry = checksums.begin(key);
      entry.write({ length, checksum });
      return entry;
    });
    group = [];
    try {
      for (const entry of entries) await entry.written();
    } finally {
      for (const entry of entries) entry.settle();
    }
  };
  const onDamage = (from: number, to: number): void =>
    log.error({ journal: file, from, to }, 'a part of the journal cannot be read');
  for await (const { kind, key, length, checksum } of readJournal(calls, file, { onDamage })) {
    if (kind !== 'blob') continue;
    group.push({ key, length, checksum });
    if (group.length >= ENTRIES) await write();
  }
  await write();
}

async function syncFile(calls: FileCalls, file: string): Promise<void> {
  const opened = await calls.open(file, fs.constants.O_RDONLY);
  try {
    await opened.sync();
  } finally {
    opened.close();
  }
}

/** `undefined` when a file is not there any more. */
async function unlessGone<T>(work: Promise<T>): Promise<T | undefined> {
  try {
    return await work;
  } catch (err) {
    if ((err as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw err;
  }
}
