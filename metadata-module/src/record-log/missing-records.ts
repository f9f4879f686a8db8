/** What was acknowledged and is not in the store: the newest records and the data must agree at a start. */
import { Database } from '../store/key-space.js';
import type { OpenLevel } from '../store/open-level.js';
import type { Acknowledged } from '../deployment/newest-record.js';
import { isAsExpected, sha256Of } from '../versioning/compare-and-swap.js';
import type { RecordLog } from './record-log.js';

/** So many of the newest records are looked at, one read each: a start must not take long. */
export const JUDGED_RECORDS = 1000;
/** Reads at a time: each holds a value. */
const AT_ONCE = 8;
/** So many keys are named. */
const NAMED = 10;

/** A loss among the newest records. */
export interface Missing {
  readonly text: string;
  /** The oldest record that is missing, or the record that the key disagrees with. */
  readonly seq: number;
  /** The store's key that is not what record `seq` made it. Left out: records are missing. */
  readonly key?: string;
  /** There is no such key. */
  readonly isGone?: boolean;
}

/** What the newest record of a key says that the store holds. Values are not kept: together they may be gigabytes. */
interface Told {
  readonly seq: number;
  readonly db: string;
  readonly key: string;
  readonly sha256: string | null;
}

/**
 * The losses among the newest records; none when all is there. What came before `known.from` was
 * written by another daemon, which may leave out numbers, and need not keep a log at all: it is not judged.
 */
export async function findMissing(
  store: OpenLevel,
  recordLog: RecordLog,
  known: Acknowledged | undefined,
): Promise<Missing[]> {
  if (known === undefined) return [];
  const { last } = recordLog;
  const found: Missing[] = [];
  const judged = Math.max(last, known.from);
  if (judged < known.acknowledged) found.push(missing(judged + 1, known.acknowledged));
  const newest = new Map<string, Told>();
  let next = last;
  const end = Math.max(known.from, last - JUDGED_RECORDS);
  // A damaged record is told of when it is read; here it counts as there.
  let damaged = 0;
  const onDamaged = (): void => {
    damaged += 1;
  };
  for await (const { seq, item } of recordLog.backwards(last, onDamaged)) {
    const before = Math.max(seq, end);
    if (next - before > damaged) found.push(missing(before + 1, next));
    damaged = 0;
    if (seq <= end) break;
    next = seq - 1;
    const { db } = item;
    const [{ key, value }] = item.entries;
    const id = new Database(db.split('#')).keyOf(key);
    if (newest.has(id)) continue;
    newest.set(id, { seq, db, key, sha256: value === undefined ? null : sha256Of(value) });
  }
  return [...found, ...(await disagreements(store, newest))];
}

async function disagreements(store: OpenLevel, newest: ReadonlyMap<string, Told>): Promise<Missing[]> {
  const found: Missing[] = [];
  const waiting = newest.entries();
  const worker = async (): Promise<void> => {
    for (const [id, told] of waiting) {
      const stored = await store.get(id);
      if (isAsExpected(stored, told)) continue;
      const { seq, db, key } = told;
      const text = `key ${JSON.stringify(key)} of ${JSON.stringify(db)} is not what record ${seq} made it`;
      found.push({ text, seq, key: id, isGone: stored === undefined });
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, worker));
  return found.sort((a, b) => b.seq - a.seq);
}

/** One line for each, of very many keys not for all. */
export function describeMissing(found: readonly Missing[]): string[] {
  const keys = found.filter(({ key }) => key !== undefined);
  const named = new Set(keys.slice(0, NAMED));
  const lines = found.filter(one => one.key === undefined || named.has(one)).map(({ text }) => text);
  const more = keys.length - named.size;
  return more > 0 ? [...lines, `and ${more} keys more`] : lines;
}

function missing(from: number, to: number): Missing {
  const text =
    from === to
      ? `record ${from}, which was acknowledged, is missing`
      : `records ${from} to ${to}, which were acknowledged, are missing`;
  return { text, seq: from };
}
