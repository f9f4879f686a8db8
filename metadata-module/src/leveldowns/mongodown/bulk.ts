/**
 * The writes that bring a bulk of journal entries into the data collection.
 *
 * Every document carries the number `n` of the bulk that wrote it, and every write asks for one that is no
 * newer than itself. So a write that comes late, from a former owner or from a try that was given up, changes
 * nothing that is newer, and a bulk that is done twice does what it did. What this cannot stop is a late put
 * of a key that is not there any more, because a delete has removed the document, and its number with it. So
 * a document is only removed when no put of an older number can be under way. Where one can, the key is
 * *exposed*: a bulk that is in doubt (its answer was lost, or it is what a former owner may have had under
 * way) marks its keys so, and leaves a document for those that it deletes, which readers pass over. Such a
 * mark stays: the late write may come at any time.
 */
import type { AnyBulkWriteOperation } from 'mongodb';
import type { DataDocument } from './layout.js';
import { MARKERS } from './markers.js';
import { encodedBytes, type Operation } from './operations.js';

export type Write = AnyBulkWriteOperation<DataDocument>;

export interface Bulk {
  /** First these, of which any number may find a document. */
  readonly deletes: Write[];
  /** Then these, each of which finds one or makes one. */
  readonly puts: Write[];
}

export interface BulkSpec {
  /** In the order of the journal. */
  readonly operations: Iterable<Operation>;
  /** The last number of the journal that is in it. */
  readonly number: number;
  /** True when a put of these keys may be under way already. */
  readonly inDoubt: boolean;
}

/** The last operation on each key. */
export function bulkOf({ operations, number, inDoubt }: BulkSpec): Bulk {
  const last = new Map<string, Operation>();
  const exposed = new Set<string>();
  for (const operation of operations) {
    last.set(operation.key, operation);
    if (inDoubt && operation.type === 'put') exposed.add(operation.key);
  }
  const deletes: Write[] = [];
  const puts: Write[] = [];
  for (const operation of last.values()) {
    const filter = { _id: operation.key, n: { $lte: number } };
    const isExposed = exposed.has(operation.key);
    if (operation.type === 'put') {
      puts.push(put(filter, number, operation.value, isExposed));
    } else if (isExposed) {
      puts.push(markDeleted(filter, number, true));
    } else {
      deletes.push({ deleteOne: { filter: { ...filter, exposed: { $exists: false } } } });
      deletes.push(markDeleted({ ...filter, exposed: true }, number, false));
    }
  }
  return { deletes: deletes.sort(byKind), puts };
}

/**
 * What says that the journal up to `number` is in the data; the markers are found only if they are of `epoch`. It
 * comes after all the writes of the bulk: the markers are never ahead of the data.
 */
export function moveMarkers(number: number, epoch: number): Write[] {
  return MARKERS.map(_id => ({
    updateOne: { filter: { _id, epoch }, update: { $set: { applied: number }, $inc: { touched: 1 } } },
  }));
}

/**
 * Operations in portions that can be done one after the other, in any order: each has all the operations on its
 * keys, up to `keys` of them, or fewer when they have more than `bytes`.
 */
export function portionsOf(
  operations: readonly Operation[],
  limit: { readonly keys: number; readonly bytes: number },
): Operation[][] {
  const portions: Operation[][] = [];
  const portionOfKey = new Map<string, Operation[]>();
  let keys = 0;
  let bytes = 0;
  for (const operation of operations) {
    const size = encodedBytes(operation);
    let portion = portionOfKey.get(operation.key);
    if (portion === undefined) {
      portion = portions.at(-1);
      if (portion === undefined || keys >= limit.keys || bytes + size > limit.bytes) {
        portion = [];
        portions.push(portion);
        keys = 0;
        bytes = 0;
      }
      portionOfKey.set(operation.key, portion);
      keys += 1;
      bytes += size;
    }
    portion.push(operation);
  }
  return portions;
}

/** Deletes before updates: the driver sends neighbours of a kind as one command. */
function byKind(a: Write, b: Write): number {
  return Number('updateOne' in a) - Number('updateOne' in b);
}

type Filter = { readonly _id: string; readonly n: { readonly $lte: number }; readonly exposed?: true };

function put(filter: Filter, n: number, v: Buffer, isExposed: boolean): Write {
  const $set = { n, v, ...(isExposed && { exposed: true as const }) };
  return { updateOne: { filter, update: { $set, $unset: { deleted: '' } }, upsert: true } };
}

function markDeleted(filter: Filter, n: number, isExposed: boolean): Write {
  const $set = { n, deleted: true as const, ...(isExposed && { exposed: true as const }) };
  return { updateOne: { filter, update: { $set, $unset: { v: '' } }, upsert: isExposed } };
}
