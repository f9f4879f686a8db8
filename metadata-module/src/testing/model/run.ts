/** Runs a script on the module's store and holds what clients saw, what is stored and what was logged to the rules. */
import assert from 'node:assert/strict';
import { isErrorType } from '@zenko-modules/common/errors';
import { silentLogger } from '@zenko-modules/common/logger';
import type { LogItem } from '../../record-log/record.js';
import { Database, rawRange } from '../../store/key-space.js';
import { MetadataStore } from '../../metadata-store.js';
import { INFINITE_VERSION_ID } from '../../versioning/version-id.js';
import type { LevelPlace } from '../level-place.js';
import { type Call, canonical, type Content, type IdRef, type Outcome } from './calls.js';
import { Rules, type Seen } from './rules.js';
import { finish, type Step } from './scripts.js';

const IDS = { past: '98999999999999999999RG001  7', future: '10000000000000999999RG001  7' } as const;

export async function runScript(place: LevelPlace, script: readonly Step[]): Promise<void> {
  const run = new ScriptRun(place);
  await run.open();
  try {
    for (const step of script) await run.step(step);
    await run.checkEnd();
  } finally {
    await run.close();
  }
}

class ScriptRun {
  readonly #place: LevelPlace;
  readonly #issued: string[] = [];
  #rules = new Rules();
  #store: MetadataStore | undefined;
  #clockShift = 0;
  #seenRecords = 0;

  constructor(place: LevelPlace) {
    this.#place = place;
  }

  async open(): Promise<void> {
    this.#store = await MetadataStore.open({
      level: await this.#place.level(),
      log: silentLogger(),
      maxRecords: 1_000_000,
      systemTime: () => Date.now() + this.#clockShift,
    });
  }

  async close(): Promise<void> {
    await this.#store?.close();
    this.#store = undefined;
  }

  async step(step: Step): Promise<void> {
    switch (step.step) {
      case 'restart':
        await this.close();
        return this.open();
      case 'clock':
        this.#clockShift += step.ms;
        return;
      case 'calls':
        return this.#calls(step.drafts.map(draft => finish(draft, ref => this.#resolve(ref))));
    }
  }

  /** What is stored is what the rules leave, and what the log tells. */
  async checkEnd(): Promise<void> {
    const stored = await contentOf(this.#opened);
    assert.deepEqual(
      canonicalContent(stored),
      canonicalContent(this.#rules.content),
      'stored and by the rules',
    );
    assert.deepEqual(await replayed(this.#opened), stored, 'the log, replayed, and stored');
    await this.#opened.resumed;
    assert.equal(this.#opened.store.openIterators, 0, 'open iterators');
  }

  async #calls(calls: readonly Call[]): Promise<void> {
    const outcomes = await Promise.all(calls.map(call => this.#make(call)));
    await this.#opened.databases.idle();
    const placeHolders = await this.#newPlaceHolders();
    const steps = calls.map((call, index) => ({ call, outcome: outcomes[index] as Outcome }));
    const stored = show(canonicalContent(await contentOf(this.#opened)));
    const found = orders(steps).find(order => {
      const rules = this.#rules.copy();
      const ids = new Map([...placeHolders].map(([key, list]) => [key, [...list]]));
      const placeHolderId: Seen['placeHolderId'] = (db, key) => ids.get(`${db} ${key}`)?.shift();
      if (!order.every(({ call, outcome }) => rules.allows(call, { outcome, placeHolderId }))) return false;
      if (show(canonicalContent(rules.content)) !== stored) return false;
      this.#rules = rules;
      return true;
    });
    assert.ok(
      found,
      `no order of these calls agrees with the rules: ${JSON.stringify(steps)}\nbefore: ${show(this.#rules.content)}\nafter: ${stored}`,
    );
    this.#noteIds(steps);
  }

  /** Every new id sorts before all that were answered earlier, also over restarts and a clock that jumps back. */
  #noteIds(steps: readonly { call: Call; outcome: Outcome }[]): void {
    const fresh = steps.flatMap(({ call, outcome }) =>
      call.call === 'put' && !call.versionId && 'answer' in outcome && outcome.answer ? [outcome.answer] : [],
    );
    const newestBefore = this.#issued.at(-1) ?? INFINITE_VERSION_ID;
    for (const id of fresh) assert.ok(id < newestBefore, `${id} sorts before ${newestBefore}`);
    assert.equal(new Set(fresh).size, fresh.length);
    this.#issued.push(...fresh.sort().reverse());
  }

  async #make(call: Call): Promise<Outcome> {
    const { databases } = this.#opened;
    const database = new Database(call.db);
    try {
      switch (call.call) {
        case 'put': {
          const { key, value, versioning = false, deleteNullKey = false, versionId, isNull } = call;
          return {
            answer: await databases.put(database, key, value, {
              versioning,
              deleteNullKey,
              versionId,
              isNull,
            }),
          };
        }
        case 'get':
          return { answer: await databases.get(database, call.key, { versionId: call.versionId }) };
        case 'del':
          return {
            answer: await databases.del(database, call.key, {
              versionId: call.versionId,
              isNull: call.isNull,
            }),
          };
        case 'list': {
          const { limit, ...bounds } = call;
          const range = { ...bounds, limit: limit === -1 ? undefined : limit };
          const entries: [string, string][] = [];
          const iterator = await databases.list(database, range);
          for (let next = await iterator.next(); !next.done; next = await iterator.next()) {
            entries.push([next.value.key, next.value.value]);
          }
          return { entries };
        }
      }
    } catch (err) {
      if (isErrorType(err, 'ObjNotFound', 'InvalidArgument')) return { error: err.type };
      throw err;
    }
  }

  async #newPlaceHolders(): Promise<Map<string, string[]>> {
    const ids = new Map<string, string[]>();
    for (const { db, entries } of await recordsOf(this.#opened, this.#seenRecords + 1)) {
      this.#seenRecords += 1;
      const [{ key, value }] = entries;
      if (value?.startsWith('{"isPHD":true')) {
        const { versionId } = JSON.parse(value) as { versionId: string };
        ids.set(`${db} ${key}`, [...(ids.get(`${db} ${key}`) ?? []), versionId]);
      }
    }
    return ids;
  }

  #resolve(ref: IdRef): string {
    if (ref.ref === 'infinite') return INFINITE_VERSION_ID;
    if (ref.ref !== 'issued') return IDS[ref.ref];
    return this.#issued[ref.n % Math.max(1, this.#issued.length)] ?? IDS.past;
  }

  get #opened(): MetadataStore {
    assert.ok(this.#store);
    return this.#store;
  }
}

/** Every order in which calls that were made at the same time may have been carried out. */
function orders<T>(items: readonly T[]): T[][] {
  if (items.length <= 1) return [[...items]];
  return items.flatMap((item, index) =>
    orders([...items.slice(0, index), ...items.slice(index + 1)]).map(rest => [item, ...rest]),
  );
}

async function recordsOf(store: MetadataStore, startSeq: number): Promise<LogItem[]> {
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
function canonicalContent(content: Content): Content {
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

function show(content: Content): string {
  return JSON.stringify([...content].map(([db, entries]) => [db, [...entries]]));
}
