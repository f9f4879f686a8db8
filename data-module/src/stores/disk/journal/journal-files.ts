/**
 * The files of the journal: `<volume>/.journal/<worker>.<number>`, numbers growing with time. What is added to the name says
 * what has become of the file.
 */
import { randomUUID } from 'node:crypto';
import { constants } from 'node:fs';
import path from 'node:path';
import type { FileCalls } from '../file-calls.js';
import {
  ALIGNMENT,
  decodeHead,
  RECORD_HEAD_BYTES,
  recordBytes,
  type RecordHead,
  decodeData,
} from '../../record-format.js';

const NAME = /^((\d{1,6})\.(\d{1,15}))(?:\.(done|suspect|taken)(?:-[\da-f-]{36})?)?$/;
const WINDOW_BYTES = 1024 * 1024;

export interface JournalName {
  readonly name: string;
  /** `<worker>.<number>`, whatever has become of the file. */
  readonly base: string;
  readonly worker: number;
  readonly number: number;
  readonly state: JournalState;
}

/**
 * `open`: a process writes to it, or did. `taken`: it is read by a later start. `suspect`: the disk refused to take some of what
 * it says, so that all of it has to be written again. `done`: all that it says is in its place, on stable storage.
 */
export type JournalState = 'open' | 'taken' | 'suspect' | 'done';

/** In the order of their numbers. Other files are passed over. A folder that is missing holds none. */
export async function listJournal(calls: FileCalls, folder: string): Promise<JournalName[]> {
  const names = await calls.readdir(folder).catch((err: unknown) => {
    if ((err as NodeJS.ErrnoException).code === 'ENOENT') return [];
    throw err;
  });
  return names
    .flatMap(name => {
      const [, base, worker, number, state] = NAME.exec(name) ?? [];
      if (base === undefined) return [];
      const known = (state ?? 'open') as JournalState;
      return [{ name, base, worker: Number(worker), number: Number(number), state: known }];
    })
    .sort((one, other) => one.number - other.number || one.worker - other.worker);
}

/** Says what has become of it. Nobody else has a file of the new name. */
export async function renameJournal(
  calls: FileCalls,
  folder: string,
  { name, base }: Pick<JournalName, 'name' | 'base'>,
  state: Exclude<JournalState, 'open'>,
): Promise<string> {
  const renamed = `${base}.${state}-${randomUUID()}`;
  await calls.rename(path.join(folder, name), path.join(folder, renamed));
  return renamed;
}

export interface JournalRecord {
  readonly kind: 'blob' | 'deletion';
  /** As the blob's file is called. */
  readonly key: string;
  readonly length: number;
  readonly checksum: number;
  /** Where it ends in the file. */
  readonly end: number;
  /** The blob; `undefined` when its bytes are not what was written. Valid until the next record is asked for. */
  data(): Buffer | undefined;
}

export interface ReadOptions {
  /** Where a record begins. */
  readonly start?: number;
  readonly onDamage?: (from: number, to: number) => void;
}

/**
 * The records of a file of the journal, in their order. What cannot be read is passed over up to the next record that can;
 * `onDamage` is told where. A batch that was cut off at the end is no damage: nobody was told of what it holds.
 */
export async function* readJournal(
  calls: FileCalls,
  journal: string,
  { start = 0, onDamage = () => undefined }: ReadOptions = {},
): AsyncGenerator<JournalRecord, void, undefined> {
  const file = await calls.open(journal, constants.O_RDONLY);
  try {
    const size = await file.size();
    let window = Buffer.alloc(0);
    let from = 0;
    const at = async (position: number, length: number): Promise<Buffer> => {
      const end = Math.min(size, position + length);
      if (position < from || end > from + window.length) {
        window = Buffer.allocUnsafe(Math.min(Math.max(WINDOW_BYTES, length), size - position));
        from = position;
        const read = await file.read(window, window.length, position);
        window = window.subarray(0, read);
      }
      return window.subarray(position - from, end - from);
    };
    let whole = start;
    for (let position = start; position < size;) {
      const head = decodeHead(await at(position, RECORD_HEAD_BYTES));
      const total = recordBytes(head?.length ?? 0);
      if (head === undefined || head.kind === 'lost' || position + total > size) {
        position += ALIGNMENT;
        continue;
      }
      if (position > whole) onDamage(whole, position);
      const bytes = await at(position, total);
      position += total;
      whole = position;
      yield recordOf(head, head.kind, bytes, whole);
    }
  } finally {
    file.close();
  }
}

function recordOf(
  { key, length, checksum }: RecordHead,
  kind: 'blob' | 'deletion',
  bytes: Buffer,
  end: number,
): JournalRecord {
  return { kind, key: key.toString('hex'), length, checksum, end, data: () => decodeData(bytes, key) };
}
