/**
 * A jsondown's text in a folder:
 *
 * - `data.json`: the snapshot. A new one is written beside it under a temporary name and renamed.
 * - `journal-000003.jsonl`: what came since, by the snapshot's generation.
 * - `lock/`: taken by the process that has the store open.
 */
import { createReadStream } from 'node:fs';
import { readdir, realpath, rm } from 'node:fs/promises';
import path from 'node:path';
import { messageOf } from '@zenko-modules/common/errors';
import { makeFolder } from '@zenko-modules/common/sync-folder';
import { LEVEL_ERRORS, LevelError } from '../plugin.js';
import { isThere, orUnavailable, replaceFile, TEMPORARY } from './files.js';
import { FolderJournal } from './folder-journal.js';
import { FolderLock } from './folder-lock.js';
import { splitLines } from './lines.js';
import type { JsonJournal, JsonStorage, StoredLine, StoredText } from './storage.js';

const SNAPSHOT = 'data.json';
/** How much is read at a time. */
const PIECE_BYTES = 262_144;
const JOURNAL = /^journal-(\d{6,15})\.jsonl$/;

export class FolderStorage implements JsonStorage {
  #folder: string;
  #lock: FolderLock | undefined;

  /** Does not touch the folder. The folder above it must exist when the store is opened. */
  constructor(folder: string) {
    this.#folder = path.resolve(folder);
  }

  get place(): string {
    return this.#folder;
  }

  async open(create: boolean): Promise<void> {
    await orUnavailable(`${this.#folder} cannot be opened`, async () => {
      if (create) await makeFolder(this.#folder);
      else if (!(await isThere(this.#folder))) {
        throw new LevelError(LEVEL_ERRORS.unavailable, `${this.#folder} does not exist`);
      }
      // One spelling of a folder, so that the lock holds within a process too.
      this.#folder = await realpath(this.#folder);
    });
    this.#lock = await FolderLock.take(this.#folder);
    try {
      await orUnavailable(`${this.#folder} cannot be cleaned up`, () => this.#sweep());
    } catch (err) {
      await this.close();
      throw err;
    }
  }

  async close(): Promise<void> {
    const lock = this.#lock;
    this.#lock = undefined;
    await lock?.release();
  }

  async snapshot(): Promise<StoredText | undefined> {
    const there = await orUnavailable(this.#path(SNAPSHOT), () => isThere(this.#path(SNAPSHOT)));
    return there ? this.#text(SNAPSHOT) : undefined;
  }

  async replaceSnapshot(
    _generation: number,
    text: AsyncIterable<string>,
    signal: AbortSignal,
  ): Promise<number> {
    return replaceFile(this.#path(SNAPSHOT), text, signal);
  }

  async journals(): Promise<readonly number[]> {
    const names = await orUnavailable(`${this.#folder} cannot be read`, () => readdir(this.#folder));
    return names
      .map(name => JOURNAL.exec(name)?.[1])
      .filter(digits => digits !== undefined)
      .map(Number)
      .sort((a, b) => a - b);
  }

  journal(generation: number): StoredText {
    return this.#text(journalName(generation));
  }

  async createJournal(generation: number, firstLine: string): Promise<JsonJournal> {
    const file = this.#path(journalName(generation));
    const bytes = await replaceFile(file, [`${firstLine}\n`]);
    return orUnavailable(file, () => FolderJournal.resume(file, bytes, true));
  }

  async resumeJournal(generation: number, last: StoredLine): Promise<JsonJournal> {
    const file = this.#path(journalName(generation));
    return orUnavailable(file, () => FolderJournal.resume(file, last.end, last.complete));
  }

  async removeJournal(generation: number): Promise<void> {
    const file = this.#path(journalName(generation));
    await orUnavailable(file, () => rm(file, { force: true }));
  }

  #path(name: string): string {
    return path.join(this.#folder, name);
  }

  #text(name: string): StoredText {
    const file = this.#path(name);
    return { name: file, missing: `${file} is missing`, lines: () => splitLines(readPieces(file)) };
  }

  /** Removes what a crash left half-written under temporary names. */
  async #sweep(): Promise<void> {
    for (const name of await readdir(this.#folder)) {
      const final = name.slice(0, -TEMPORARY.length);
      if (name.endsWith(TEMPORARY) && (final === SNAPSHOT || JOURNAL.test(final))) await rm(this.#path(name));
    }
  }
}

function journalName(generation: number): string {
  return `journal-${String(generation).padStart(6, '0')}.jsonl`;
}

async function* readPieces(file: string): AsyncGenerator<Buffer> {
  try {
    for await (const piece of createReadStream(file, { highWaterMark: PIECE_BYTES })) yield piece as Buffer;
  } catch (err) {
    throw new LevelError(LEVEL_ERRORS.unavailable, `${file} cannot be read: ${messageOf(err)}`, {
      cause: err,
    });
  }
}
