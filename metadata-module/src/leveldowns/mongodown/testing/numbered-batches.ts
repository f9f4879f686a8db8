/** Batches by number, and what a store holds after them: a half-done, lost or repeated one shows. */
import assert from 'node:assert/strict';
import { writeBatch } from '../../level-calls.js';
import type { TextOperation } from '../../../store/open-level.js';
import type { LevelDown } from '../../plugin.js';

const KEYS = 40;
const PUTS = 8;
const DELS = 5;
/** After so many batches every key was touched again. */
const CYCLE = KEYS * 2;

/** Puts some keys, deletes others, and counts. */
export function batchOf(number: number): TextOperation[] {
  const value = String(number);
  return [
    { type: 'put', key: 'count', value },
    ...Array.from({ length: PUTS }, (_, i): TextOperation => ({
      type: 'put',
      key: keyOf(number * 3 + i),
      value,
    })),
    ...Array.from({ length: DELS }, (_, i): TextOperation => ({
      type: 'del',
      key: keyOf(number * 3 + PUTS + i),
    })),
    { type: 'put', key: `log${String(number).padStart(8, '0')}`, value },
    { type: 'del', key: `log${String(number - CYCLE).padStart(8, '0')}` },
  ];
}

/** What a store holds after the batches 1 to `last`. */
export function stateAfter(last: number): Record<string, string> {
  const state = new Map<string, string>();
  for (let number = Math.max(1, last - CYCLE); number <= last; number += 1) {
    for (const operation of batchOf(number)) {
      if (operation.type === 'put') state.set(operation.key, operation.value);
      else state.delete(operation.key);
    }
  }
  return Object.fromEntries(state);
}

/** Checks that `found` is a whole number of batches, at least `acknowledged`, and returns how many. */
export function checkState(found: Record<string, string>, acknowledged: number): number {
  const count = Number(found.count ?? 0);
  assert.ok(count >= acknowledged, `batch ${acknowledged} was acknowledged, the store is at ${count}`);
  assert.deepEqual(found, stateAfter(count));
  return count;
}

/**
 * Writes the batches after `from`, `atOnce` at a time, until `last` or a failure. Calls back with the number
 * up to which all are acknowledged. Resolves with the failure.
 */
export async function writeBatches(
  store: LevelDown,
  { from, last = Infinity, atOnce = 4 }: { from: number; last?: number; atOnce?: number },
  onAcknowledged: (number: number) => void,
): Promise<unknown> {
  for (let next = from + 1; next <= last; next += atOnce) {
    const numbers = Array.from({ length: Math.min(atOnce, last - next + 1) }, (_, index) => next + index);
    try {
      await Promise.all(numbers.map(number => writeBatch(store, batchOf(number))));
    } catch (err) {
      return err;
    }
    onAcknowledged(numbers.at(-1) ?? 0);
  }
  return undefined;
}

/** How far a test has come. */
export interface Progress {
  acknowledged: number;
  /** Calls of `writeMore` that ended early. */
  failures: number;
}

/** Writes the next `count` batches, or fewer: what has failed did not happen, and its numbers are written again. */
export async function writeMore(
  store: LevelDown,
  progress: Progress,
  { count, atOnce }: { readonly count: number; readonly atOnce?: number },
): Promise<void> {
  const from = progress.acknowledged;
  const failure = await writeBatches(
    store,
    { from, last: from + count, ...(atOnce && { atOnce }) },
    number => {
      progress.acknowledged = number;
    },
  );
  if (failure !== undefined) progress.failures += 1;
}

function keyOf(number: number): string {
  return `k${String(number % KEYS).padStart(2, '0')}`;
}
