/**
 * A LevelDB that no process has open, as its files hold it: with the numbers that LevelDB gives to all that is written, which
 * it tells nobody. They go up, and stay with what was written until it is deleted or replaced.
 */
import { type FileHandle, open } from 'node:fs/promises';
import path from 'node:path';
import { contentOf, filesOf, isLog, tableNames } from './leveldb-files.js';
import { findLogDamage, maskedCrc, writesIn } from './leveldb-log.js';
import { type LevelDbState, levelDbState } from './leveldb-manifest.js';
import {
  blockEntries,
  FOOTER_BYTES,
  type Handle,
  handleIn,
  partsIn,
  TRAILER_BYTES,
  typeAt,
} from './leveldb-tables.js';
import type { BytesRange, StoreAtRest, WrittenEntry } from './plugin.js';
import { Varints } from './varints.js';

/** Behind each key of a table: what was done, and the number of the write above it. */
const SUFFIX_BYTES = 8;
const PUT = 1;
/** Of a write in a log: its number, and how many entries it has. */
const HEADER_BYTES = 12;

/** `undefined` when there is no database in `folder`, or none that can be read. */
export async function levelDbAtRest(folder: string): Promise<StoreAtRest | undefined> {
  const state = await levelDbState(folder);
  return (
    state && {
      opened: state.manifest,
      async lastWrite() {
        let last = state.lastSequence;
        for await (const { written } of logEntries(folder, state)) last = Math.max(last, written);
        return last;
      },
      entries: ranges => entriesIn(folder, state, new Ranges(ranges)),
    }
  );
}

async function* entriesIn(
  folder: string,
  state: LevelDbState,
  ranges: Ranges,
): AsyncGenerator<WrittenEntry, void, undefined> {
  for await (const entry of logEntries(folder, state)) if (ranges.meet(entry.key, entry.key)) yield entry;
  const names = new Set(await filesOf(folder));
  for (const [number, size] of state.tables) {
    const [usual, older] = tableNames(number);
    const file = await open(path.join(folder, names.has(older) ? older : usual));
    try {
      yield* tableEntries(file, size, ranges);
    } finally {
      await file.close();
    }
  }
}

async function* tableEntries(
  file: FileHandle,
  size: number,
  ranges: Ranges,
): AsyncGenerator<WrittenEntry, void, undefined> {
  const { index } = partsIn(await bytesAt(file, size - FOOTER_BYTES, FOOTER_BYTES));
  let low: Buffer = Buffer.alloc(0);
  for (const { key, value } of blockEntries(await blockAt(file, index))) {
    // No key of the block is beyond this one, and none is before the one of the block before.
    const high = key.subarray(0, -SUFFIX_BYTES);
    if (ranges.meet(low, high)) {
      for (const entry of blockEntries(await blockAt(file, handleIn(new Varints(value))))) {
        const own = entry.key.subarray(0, -SUFFIX_BYTES);
        if (!ranges.meet(own, own)) continue;
        const suffix = entry.key.readBigUInt64LE(own.length);
        const isPut = Number(suffix & 0xffn) === PUT;
        yield { key: own, value: isPut ? entry.value : undefined, written: Number(suffix >> 8n) };
      }
    }
    low = high;
  }
}

/** With how it is compressed behind it. @throws RangeError when it is damaged */
async function blockAt(file: FileHandle, handle: Handle): Promise<Buffer> {
  const bytes = await bytesAt(file, handle.offset, handle.size + TRAILER_BYTES);
  const stored = bytes.subarray(0, handle.size + 1);
  if (bytes.readUInt32LE(stored.length) !== maskedCrc(stored))
    throw new RangeError(`the block before byte ${typeAt(handle)} is damaged`);
  return stored;
}

async function bytesAt(file: FileHandle, offset: number, length: number): Promise<Buffer> {
  const { buffer, bytesRead } = await file.read(Buffer.alloc(length), 0, length, offset);
  if (bytesRead < length) throw new RangeError('a table ends early');
  return buffer;
}

/** What only the logs hold. @throws RangeError when one is damaged */
async function* logEntries(
  folder: string,
  { needsLog }: LevelDbState,
): AsyncGenerator<WrittenEntry, void, undefined> {
  for (const name of (await filesOf(folder)).filter(isLog)) {
    if (!needsLog(parseInt(name, 10))) continue;
    const log = await contentOf(path.join(folder, name));
    if (log === undefined || findLogDamage(log).length > 0) throw new RangeError(`${name} is damaged`);
    for (const write of writesIn(log)) yield* writeEntries(write);
  }
}

function* writeEntries(write: Buffer): Generator<WrittenEntry> {
  let written = Number(write.readBigUInt64LE(0));
  const fields = new Varints(write, HEADER_BYTES);
  for (; !fields.isAtEnd; written += 1) {
    const isPut = fields.bytes(1)[0] === PUT;
    const key = fields.text();
    yield { key, value: isPut ? fields.text() : undefined, written };
  }
}

/** Ranges of keys, both ends included. */
class Ranges {
  readonly #ranges: readonly BytesRange[];

  /** They have no key in common. */
  constructor(ranges: readonly BytesRange[]) {
    this.#ranges = [...ranges].sort((a, b) => Buffer.compare(a.from, b.from));
  }

  /** Whether a key of one of them is between `low` and `high`, or one of these. */
  meet(low: Buffer, high: Buffer): boolean {
    let [start, end] = [0, this.#ranges.length];
    while (start < end) {
      const middle = Math.floor((start + end) / 2);
      const range = this.#ranges[middle];
      if (range !== undefined && Buffer.compare(range.to, low) < 0) start = middle + 1;
      else end = middle;
    }
    const first = this.#ranges[start];
    return first !== undefined && Buffer.compare(first.from, high) <= 0;
  }
}
