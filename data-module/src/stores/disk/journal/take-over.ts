/**
 * What a start does with the journal that was there: blobs and deletions that a power failure has taken from their place are put there
 * again. After the end of a process, however sudden, all is in its place.
 */
import fs from 'node:fs';
import path from 'node:path';
import { crc32c } from '@node-rs/crc32';
import type { Logger } from '@zenko-modules/common/logger';
import { blobFile } from '../disk-layout.js';
import type { FileCalls, OpenFile } from '../file-calls.js';
import type { Volume } from '../volume.js';
import {
  type JournalName,
  type JournalRecord,
  listJournal,
  readJournal,
  renameJournal,
} from './journal-files.js';
import { writeBlobNow } from './write-blob.js';

export interface TakeOverOptions {
  readonly volume: Volume;
  readonly folder: string;
  readonly calls: FileCalls;
  readonly uploadPrefix: string;
  readonly log: Logger;
}

/** A file of which all is in its place now, but not on stable storage yet. */
export interface TakenFile {
  readonly base: string;
  readonly name: string;
  /** Open since before anything was written. */
  readonly file: OpenFile;
}

/** @param files of workers that are no more; none of them may be written to from then on */
export async function takeOver(
  options: TakeOverOptions,
  files: readonly JournalName[],
): Promise<readonly TakenFile[]> {
  const { calls, folder, log } = options;
  if (files.length === 0) return [];
  const taken: (TakenFile & { readonly isSuspect: boolean })[] = [];
  for (const file of files) {
    const isSuspect = file.state === 'suspect';
    const name = isSuspect ? file.name : await renameJournal(calls, folder, file, 'taken');
    const opened = await calls.open(path.join(folder, name), fs.constants.O_RDONLY);
    // As a full disk leaves them. It is looked at under its new name: who writes to it still is told that it has gone.
    if ((await opened.size()) === 0) {
      opened.close();
      await calls.unlink(path.join(folder, name));
      continue;
    }
    taken.push({ base: file.base, name, file: opened, isSuspect });
  }
  const missing = new Set<string>();
  for (const { name, isSuspect } of taken) {
    for await (const record of readJournal(calls, path.join(folder, name))) {
      if (record.kind === 'blob' && (isSuspect || !isInPlace(options, record))) missing.add(record.key);
    }
  }
  // Read after the look: whoever deletes says so in the journal before.
  const [read, gone] = [new Set<string>(), new Set<string>()];
  for (let isComplete = false; !isComplete;) {
    isComplete = true;
    for (const { name, base } of await listJournal(calls, folder)) {
      const isOwn = taken.some(file => file.name === name);
      if (read.has(base) || gone.has(name) || (!isOwn && missing.size === 0)) continue;
      try {
        for await (const { kind, key } of readJournal(calls, path.join(folder, name))) {
          if (kind !== 'deletion') continue;
          missing.delete(key);
          if (isOwn) fs.rmSync(blobFile(options.volume.path, key), { force: true });
        }
        read.add(base);
      } catch (err) {
        // Another worker has renamed it meanwhile, or removed it.
        if ((err as NodeJS.ErrnoException).code !== 'ENOENT') throw err;
        gone.add(name);
        isComplete = false;
      }
    }
  }
  const count = missing.size;
  for (const { name } of count > 0 ? taken : []) {
    for await (const record of readJournal(calls, path.join(folder, name))) {
      if (record.kind === 'blob' && missing.delete(record.key)) await restore(options, record);
    }
  }
  log.warn({ files: taken.length, restored: count }, 'took over the journal of an end without a warning');
  return taken;
}

function isInPlace({ volume }: TakeOverOptions, { key, length, checksum }: JournalRecord): boolean {
  try {
    const bytes = fs.readFileSync(blobFile(volume.path, key));
    return bytes.length === length && crc32c(bytes) === checksum;
  } catch (err) {
    if ((err as NodeJS.ErrnoException).code === 'ENOENT') return false;
    throw err;
  }
}

async function restore({ volume, uploadPrefix, log }: TakeOverOptions, record: JournalRecord): Promise<void> {
  const { key } = record;
  const data = record.data();
  if (data === undefined) {
    log.error({ key }, 'a blob is lost: its file is not whole, and neither is its record in the journal');
    return;
  }
  try {
    writeBlobNow(volume.path, uploadPrefix + key, key, data);
  } catch (err) {
    if ((err as NodeJS.ErrnoException).code !== 'ENOENT') throw err;
    const copy = Buffer.from(data);
    await volume.restoreFolders(key);
    writeBlobNow(volume.path, uploadPrefix + key, key, copy);
  }
}
