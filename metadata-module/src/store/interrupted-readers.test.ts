/**
 * Everything that reads a range, while the store is closed and opened again under it: what was cut short is
 * never taken for complete.
 */
import assert from 'node:assert/strict';
import test, { type TestContext } from 'node:test';
import { isErrorType } from '@zenko-modules/common/errors';
import { silentLogger } from '@zenko-modules/common/logger';
import { closeLevel, openLevel, readEntries, writeBatch } from '../leveldowns/level-calls.js';
import { LEVEL_ERRORS, type LevelDown } from '../leveldowns/plugin.js';
import { LogReaders } from '../record-log/log-readers.js';
import { RecordLog } from '../record-log/record-log.js';
import type { MetadataStore } from '../metadata-store.js';
import { holdIterators } from '../testing/held-iterators.js';
import { LEVELDOWN, MEMDOWN } from '../testing/level-place.js';
import { BUCKET, collect, openStore, PLAIN, VERSIONED } from '../testing/open-store.js';
import { CommitQueue } from './commit-queue.js';
import { MonotonicClock } from './monotonic-clock.js';
import { Recovery } from './recovery.js';

const isInterruption = (err: unknown): boolean =>
  isErrorType(err, 'ServiceUnavailable') &&
  (err.cause as { code?: string } | undefined)?.code === LEVEL_ERRORS.iteratorEnded;

interface Interrupted {
  readonly store: MetadataStore;
  readonly level: LevelDown;
  /** The next iterator that makes this step, its second, finds the store being opened again. */
  readonly arm: (atStep?: number) => void;
}

async function interrupted(t: TestContext): Promise<Interrupted> {
  const place = await MEMDOWN.place(t);
  const level = await place.level();
  let armedAt: number | undefined;
  holdIterators(level, step => {
    if (step === armedAt) {
      armedAt = undefined;
      void store.store.reopen();
    }
    return Promise.resolve(undefined);
  });
  const store = await openStore(t, { level, repairDelayMs: 600_000 });
  return { store, level, arm: (atStep = 2) => (armedAt = atStep) };
}

/** Three keys, each with a record. */
async function fill(store: MetadataStore): Promise<void> {
  for (const key of ['a', 'b', 'c', 'd', 'e']) await store.databases.put(BUCKET, key, '{}', PLAIN);
}

const READERS: Readonly<Record<string, (store: MetadataStore) => Promise<unknown>>> = {
  'a listing': async ({ databases }) => collect(await databases.list(BUCKET, {})),
  'a listing backwards': async ({ databases }) => collect(await databases.list(BUCKET, { reverse: true })),
  'a listing of raw keys': async ({ databases }) => collect(await databases.listRawKeys({})),
  'the record log': async ({ recordLog }) => collect((await recordLog.read({})).log),
  'the record log backwards': ({ recordLog }) => collect(recordLog.backwards(5, () => undefined)),
};

for (const [name, read] of Object.entries(READERS)) {
  test(`${name} that is cut short rejects, and reads all when it is asked again`, async t => {
    const { store, arm } = await interrupted(t);
    await fill(store);
    const whole = await read(store);
    arm();
    await assert.rejects(read(store), isInterruption);
    await store.ready();
    assert.deepEqual(await read(store), whole);
    assert.equal(store.store.openIterators, 0);
  });
}

const FIRST_STEP: Readonly<Record<string, (store: MetadataStore) => Promise<unknown>>> = {
  'the edges of the record log': ({ recordLog }) => recordLog.recover(),
  'a new record log': ({ store }) => RecordLog.open(store, new MonotonicClock(0)),
  'the registered readers of the log': async ({ store, recordLog }) => {
    const log = silentLogger();
    const recovery = new Recovery({ store, recordLog, log });
    const commits = new CommitQueue({ store, recordLog, recovery, log, observers: [] });
    return LogReaders.open(store, commits, () => undefined);
  },
  'a read of the record log': ({ recordLog }) => recordLog.read({}),
};

for (const [name, read] of Object.entries(FIRST_STEP)) {
  test(`${name}: cut short, they are not taken for empty`, async t => {
    const place = await MEMDOWN.place(t);
    const level = await place.level();
    let armed = false;
    holdIterators(level, () => {
      if (!armed) return Promise.resolve(undefined);
      armed = false;
      void store.store.reopen();
      return Promise.resolve('says that there is no more');
    });
    const store = await openStore(t, { level });
    await fill(store);
    armed = true;
    await assert.rejects(read(store), isInterruption);
    assert.equal(store.recordLog.last, 5);
    await store.ready();
    await read(store);
  });
}

test('a repair that is cut short makes no older version the master', async t => {
  const { store, arm } = await interrupted(t);
  const { databases } = store;
  const old = await databases.put(BUCKET, 'other', '{}', VERSIONED);
  const nullVersion = JSON.stringify({ n: 'old', isNull: true, isNull2: true, versionId: old });
  await databases.put(BUCKET, 'k', nullVersion, { ...PLAIN, versionId: 'null' });
  await databases.put(BUCKET, 'k', '{"n":"newest"}', VERSIONED);
  const deleted = await databases.put(BUCKET, 'k', '{"n":"deleted"}', VERSIONED);
  await databases.del(BUCKET, 'k', { versionId: deleted });
  arm(1);
  await assert.rejects(databases.get(BUCKET, 'k', {}), isInterruption);
  assert.match(await databases.get(BUCKET, 'k', {}), /"newest"/);
  await databases.idle();
  assert.match((await store.store.get(BUCKET.keyOf('k'))) ?? '', /"newest"/);
});

test('the search for place holders goes on where it was cut short', async t => {
  const place = await MEMDOWN.place(t);
  const level = await place.level();
  const before = await openStore(t, { level, repairDelayMs: 600_000 });
  for (const key of ['k1', 'k2', 'k3']) {
    await before.databases.put(BUCKET, key, '{"n":"newest"}', VERSIONED);
    const versionId = await before.databases.put(BUCKET, key, '{"n":"deleted"}', VERSIONED);
    await before.databases.del(BUCKET, key, { versionId });
  }
  await before.close();
  let cuts = 2;
  holdIterators(level, step => {
    if (step === 3 && cuts > 0) {
      cuts -= 1;
      void store.store.reopen();
    }
    return Promise.resolve(undefined);
  });
  const store = await openStore(t, { level, repairDelayMs: 1 });
  await store.resumed;
  assert.equal(cuts, 0);
  for (const key of ['k1', 'k2', 'k3']) {
    while (/isPHD/.test((await store.store.get(BUCKET.keyOf(key))) ?? '')) {
      await new Promise(resolve => setTimeout(resolve, 5));
    }
    assert.match((await store.store.get(BUCKET.keyOf(key))) ?? '', /"newest"/);
  }
});

test('a copy from a store that was closed under it rejects', async t => {
  const place = await LEVELDOWN.place(t);
  const level = await place.level();
  await openLevel(level);
  const value = 'x'.repeat(5000);
  await writeBatch(
    level,
    Array.from({ length: 100 }, (_, n) => ({ type: 'put' as const, key: `k${n}`, value })),
  );
  const entries = readEntries(level);
  await entries.next();
  await closeLevel(level);
  await assert.rejects(async () => {
    for await (const { key } of entries) assert.ok(key);
  }, /ended/);
});
