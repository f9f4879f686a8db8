/** What the module has stored and logged, in forms that can be compared. */
import assert from 'node:assert/strict';
import type { MetadataStore } from '../../metadata-store.js';
import type { LogItem } from '../../record-log/record.js';
import { rawRange } from '../../store/key-space.js';
import { canonical, type Content } from './calls.js';

/** The records from number `startSeq` on, which leave none out. */
export async function recordsOf(store: MetadataStore, startSeq: number): Promise<LogItem[]> {
  const { info, log } = await store.recordLog.read({ startSeq });
  const items: LogItem[] = [];
  for (let next = await log.next(); !next.done; next = await log.next()) {
    assert.ok(!('damaged' in next.value));
    items.push(next.value);
  }
  if (info.start !== null && info.end !== null) {
    assert.equal(info.start, startSeq);
    assert.equal(items.length, info.end - info.start + 1);
  } else {
    assert.equal(items.length, 0);
  }
  return items;
}

/** All that is stored but what the module keeps for itself. */
export async function contentOf(store: MetadataStore): Promise<Content> {
  const content = new Map<string, Map<string, string>>();
  for await (const { key: storeKey, value } of store.store.entries(rawRange({}))) {
    const [, db = '', key = ''] = /^!([^!]*)!([^]*)$/.exec(storeKey) ?? [];
    if (db.startsWith('..recordLogs')) continue;
    const entries = content.get(db) ?? new Map<string, string>();
    content.set(db, entries.set(key, value));
  }
  return content;
}

/** What an empty store holds after the log has been applied to it. */
export async function replayed(store: MetadataStore): Promise<Content> {
  const content = new Map<string, Map<string, string>>();
  let before = '';
  for (const { timestamp, db, entries } of await recordsOf(store, 1)) {
    assert.ok(timestamp >= before, 'timestamps never run backwards');
    before = timestamp;
    const [{ type, key, value }] = entries;
    const target = content.get(db) ?? new Map<string, string>();
    content.set(db, target);
    if (type === 'put') target.set(key, value ?? '');
    else target.delete(key);
  }
  return sorted(content);
}

/** Databases and keys in one order, empty databases left out, values in one form. */
export function canonicalContent(content: Content): Content {
  return new Map(
    [...sorted(content)].map(([db, entries]) => [
      db,
      new Map([...entries].map(([key, value]) => [key, canonical(value)])),
    ]),
  );
}

function sorted(content: Content): Content {
  const order = ([a]: readonly [string, unknown], [b]: readonly [string, unknown]): number =>
    Buffer.compare(Buffer.from(a), Buffer.from(b));
  return new Map(
    [...content]
      .filter(([, entries]) => entries.size > 0)
      .sort(order)
      .map(([db, entries]) => [db, new Map([...entries].sort(order))]),
  );
}

/** One text for all contents that are the same. */
export function show(content: Content): string {
  return JSON.stringify([...content].map(([db, entries]) => [db, [...entries]]));
}
