/** Entries from one store into another: streaming, with one batch being read while another is written. */
import type { AbstractIteratorOptions } from 'abstract-leveldown';
import { readEntries, writeBatch, type ByteEntry } from '../leveldowns/level-calls.js';
import type { LevelDown } from '../leveldowns/plugin.js';
import { type CopyState, isLeftOut, putState } from './copy-state.js';

const BATCH_BYTES = 1_048_576;
const BATCH_ENTRIES = 1000;

/** All entries that a copy takes over. */
export async function* entriesOf(
  level: LevelDown,
  range: AbstractIteratorOptions<Buffer> = {},
): AsyncGenerator<ByteEntry, undefined> {
  for await (const entry of readEntries(level, range)) if (!isLeftOut(entry.key)) yield entry;
}

/** How many entries there are. Reads the keys of all. */
export async function countEntries(level: LevelDown, signal: AbortSignal): Promise<number> {
  let count = 0;
  for await (const { key } of readEntries(level, { values: false })) {
    signal.throwIfAborted();
    if (!isLeftOut(key)) count += 1;
  }
  return count;
}

export interface TransferOptions {
  readonly source: LevelDown;
  readonly target: LevelDown;
  /** What an earlier transfer had reached. */
  readonly state: CopyState;
  /** Told what is on stable storage in the target. */
  readonly onWritten: (state: CopyState) => void;
  readonly signal: AbortSignal;
}

/**
 * Copies what comes after `state` in byte order. Each batch holds the state that it leads to, so that a
 * transfer that ends anywhere can be gone on with. Resolves with the last state.
 */
export async function transfer({
  source,
  target,
  state,
  onWritten,
  signal,
}: TransferOptions): Promise<CopyState> {
  let reached = state;
  let batch: ByteEntry[] = [];
  let bytes = 0;
  let writing: Promise<void> = Promise.resolve();
  const flush = async (): Promise<void> => {
    const last = batch.at(-1);
    if (last === undefined) return;
    await writing;
    reached = {
      source: state.source,
      entries: reached.entries + batch.length,
      bytes: reached.bytes + bytes,
      lastKey: last.key.toString('hex'),
    };
    const now = reached;
    writing = writeBatch(target, [
      ...batch.map(entry => ({ type: 'put' as const, ...entry })),
      putState(now),
    ]).then(() => onWritten(now));
    // The next `await` reports a failure; until then nobody listens.
    writing.catch(() => undefined);
    batch = [];
    bytes = 0;
  };
  const after = state.lastKey === '' ? {} : { gt: Buffer.from(state.lastKey, 'hex') };
  try {
    for await (const entry of entriesOf(source, after)) {
      signal.throwIfAborted();
      batch.push(entry);
      bytes += entry.key.length + entry.value.length;
      if (bytes >= BATCH_BYTES || batch.length >= BATCH_ENTRIES) await flush();
    }
    await flush();
    await writing;
  } finally {
    await Promise.allSettled([writing]);
  }
  return reached;
}
