/** What was acknowledged and is not in the store: the newest records and the data must agree at a start. */
import { Database } from '../store/key-space.js';
import type { OpenLevel } from '../store/open-level.js';
import type { Acknowledged } from '../deployment/newest-record.js';
import type { LogItem } from './record.js';
import type { RecordLog } from './record-log.js';

/** So many of the newest records are looked at, one read each: a start must not take long. */
const RECORDS = 1000;
/** So many keys are named. */
const NAMED = 10;

/**
 * One line for each loss among the newest records; none when all is there. What came before `known.from` was
 * written by another daemon, which may leave out numbers, and need not keep a log at all: it is not judged.
 */
export async function findMissing(
  store: OpenLevel,
  recordLog: RecordLog,
  known: Acknowledged | undefined,
): Promise<string[]> {
  if (known === undefined) return [];
  const { last } = recordLog;
  const found: string[] = [];
  if (last < known.acknowledged) found.push(missing(last + 1, known.acknowledged));
  const newest = new Map<string, { readonly seq: number; readonly item: LogItem }>();
  let next = last;
  const end = Math.max(known.from, last - RECORDS);
  // A damaged record is told of when it is read; here it counts as there.
  const damaged: string[] = [];
  for await (const { seq, item } of recordLog.backwards(last, err => damaged.push(String(err)))) {
    const before = Math.max(seq, end);
    if (next - before > damaged.length) found.push(missing(before + 1, next));
    damaged.length = 0;
    if (seq <= end) break;
    next = seq - 1;
    const [{ key }] = item.entries;
    const id = new Database(item.db.split('#')).keyOf(key);
    if (!newest.has(id)) newest.set(id, { seq, item });
  }
  return [...found, ...(await disagreements(store, newest))];
}

async function disagreements(
  store: OpenLevel,
  newest: ReadonlyMap<string, { readonly seq: number; readonly item: LogItem }>,
): Promise<string[]> {
  const lines = await Promise.all(
    [...newest].map(async ([id, { seq, item }]) => {
      const [{ key, value }] = item.entries;
      if ((await store.get(id)) === value) return undefined;
      return `key ${JSON.stringify(key)} of ${JSON.stringify(item.db)} is not what record ${seq} made it`;
    }),
  );
  const found = lines.filter(line => line !== undefined);
  const more = found.length - NAMED;
  return more > 0 ? [...found.slice(0, NAMED), `and ${more} keys more`] : found;
}

function missing(from: number, to: number): string {
  return from === to
    ? `record ${from}, which was acknowledged, is missing`
    : `records ${from} to ${to}, which were acknowledged, are missing`;
}
