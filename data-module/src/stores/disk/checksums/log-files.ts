/** The files of the checksum logs: `<volume>/.checksums/<worker>.<number>`, numbers growing with time, none used twice. */
import { constants } from 'node:fs';
import type { FileCalls } from '../file-calls.js';
import { type ChecksumEntry, decodeEntry, MAX_LINE } from './checksum-entry.js';

const NAME = /^(\d{1,6})\.(\d{1,15})$/;
const CHUNK_BYTES = 64 * 1024;

export interface LogName {
  readonly name: string;
  readonly worker: number;
  readonly number: number;
}

/** In the order of their numbers. Other files are passed over. A folder that is missing holds none. */
export async function listLogs(calls: FileCalls, folder: string): Promise<LogName[]> {
  const names = await calls.readdir(folder).catch((err: unknown) => {
    if ((err as NodeJS.ErrnoException).code === 'ENOENT') return [];
    throw err;
  });
  return names
    .flatMap(name => {
      const [, worker, number] = NAME.exec(name) ?? [];
      return worker === undefined ? [] : [{ name, worker: Number(worker), number: Number(number) }];
    })
    .sort((one, other) => one.number - other.number || one.worker - other.worker);
}

/** What a stretch of a log holds. */
export interface LogPart {
  readonly entries: readonly ChecksumEntry[];
  /** Lines that are not what was written. */
  readonly damaged: number;
  /** Where the stretch ends, in bytes from the beginning of the file: whole lines end there. */
  readonly end: number;
}

/**
 * The log from `start` on, about a thousand entries at a time. What comes after the last end of a line is being written,
 * or was when its writer died: it is passed over. Rejects with ENOENT when the file is not there.
 */
export async function* readLog(
  calls: FileCalls,
  file: string,
  start = 0,
): AsyncGenerator<LogPart, void, undefined> {
  const log = await calls.open(file, constants.O_RDONLY);
  try {
    const chunk = Buffer.allocUnsafe(CHUNK_BYTES);
    let rest = '';
    for (let position = start; ;) {
      const read = await log.read(chunk, CHUNK_BYTES, position);
      if (read === 0) return;
      position += read;
      const lines = (rest + chunk.toString('latin1', 0, read)).split('\n');
      rest = lines.pop() ?? '';
      const found = lines.map(decodeEntry);
      const entries = found.filter(entry => entry !== undefined);
      yield { entries, damaged: found.length - entries.length, end: position - rest.length };
      // A line without an end is no entry, however much of it there is.
      if (rest.length > MAX_LINE) rest = rest.slice(0, MAX_LINE);
    }
  } finally {
    log.close();
  }
}
