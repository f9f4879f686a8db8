import assert from 'node:assert/strict';
import { open } from 'node:fs/promises';
import path from 'node:path';
import { Readable } from 'node:stream';
import test, { type TestContext } from 'node:test';
import { sleep } from '@zenko-modules/common/deadline';
import { CatalogueError } from '@zenko-modules/common/errors';
import { silentLogger } from '@zenko-modules/common/logger';
import { temporaryFolder } from '@zenko-modules/common/testing/temporary-folder';
import { Registry } from 'prom-client';
import { BackgroundScrub, type BackgroundScrubOptions, createScrubMetrics } from './background-scrub.js';
import type { BlobChecksum, OpenBlob } from './data-store.js';
import { openPackedStore, type PackedStore } from './stores/packed/packed-store.js';
import { packedOptions } from './stores/packed/testing/packed-options.js';
import { StoreLayer } from './stores/store-layer.js';

/** Starts a scrub. `values` gives what it has counted, by metric and result. */
function start(
  t: Pick<TestContext, 'after'>,
  store: BackgroundScrubOptions['store'],
  more: Partial<BackgroundScrubOptions> = {},
): { readonly scrub: BackgroundScrub; readonly value: (name: string, result?: string) => Promise<number> } {
  const registry = new Registry();
  const metrics = createScrubMetrics(registry);
  const log = silentLogger();
  const scrub = BackgroundScrub.start({
    store,
    bytesPerSecond: 1e9,
    metrics,
    log,
    begin: 0,
    roundPauseMs: 1,
    ...more,
  });
  t.after(() => scrub.close());
  const value = async (name: string, result?: string): Promise<number> => {
    const found = (await registry.getMetricsAsJSON()).find(metric => metric.name === `data_scrub_${name}`);
    const values =
      found?.values.filter(({ labels }) => result === undefined || labels.result === result) ?? [];
    return values.reduce((sum, one) => sum + one.value, 0);
  };
  return { scrub, value };
}

async function until(condition: () => Promise<boolean>): Promise<void> {
  while (!(await condition())) await sleep(5);
}

const put = (store: PackedStore, bytes: Buffer): Promise<string> =>
  store.put(Readable.from([bytes]), bytes.length);

test('a bit that turns under a blob in the cache is found in the next round, again and again, and the others are sound', async t => {
  const folder = await temporaryFolder(t);
  const store = await openPackedStore(folder, packedOptions(), silentLogger());
  t.after(() => store.close());
  for (let index = 0; index < 5; index += 1) await put(store, Buffer.alloc(1000, index));
  const large = await put(store, Buffer.alloc(1_000_000, 'l'));
  const { value } = start(t, new StoreLayer(store));
  await until(async () => (await value('rounds_total')) >= 1);
  assert.equal(await value('damaged_blobs'), 0);
  const rounds = await value('rounds_total');
  const handle = await open(path.join(folder, 'segments', '00000001.seg'), 'r+');
  let key = '';
  for await (const one of store.keys()) if (one !== large) key = one;
  // Read through the store, it is in its cache.
  await store.get(key);
  await handle.write(Buffer.from([255]), 0, 1, 600);
  await handle.close();
  await until(async () => (await value('blobs_total', 'damaged')) >= 2);
  assert.equal(await value('damaged_blobs'), 1);
  assert.ok((await value('rounds_total')) > rounds);
  assert.ok((await value('bytes_total')) >= 1_005_000);
  assert.ok((await value('blobs_total', 'sound')) >= 6);
});

/** A store of blobs of one piece each. */
function storeOf(
  blobs: Readonly<Record<string, () => Promise<Partial<OpenBlob>>>>,
  checksums: Readonly<Record<string, readonly BlobChecksum[]>> = {},
): BackgroundScrubOptions['store'] & { readonly opened: string[]; closed: number; isThere: boolean } {
  const store = {
    opened: [] as string[],
    closed: 0,
    isThere: true,
    ping: () => (store.isThere ? Promise.resolve() : Promise.reject(new CatalogueError('InternalError'))),
    async *keys() {
      yield* Object.keys(blobs);
      await Promise.resolve();
    },
    async *checkedKeys() {
      for await (const key of store.keys()) yield { key, checksums: checksums[key] };
    },
    openPastCache: async (key: string): Promise<OpenBlob> => {
      store.opened.push(key);
      const blob = await (blobs[key] ?? (() => Promise.reject(new CatalogueError('ObjNotFound'))))();
      const plain = { size: 0, range: undefined, bytes: undefined, next: () => Promise.resolve(undefined) };
      return { ...plain, close: () => void (store.closed += 1), ...blob };
    },
  };
  return store;
}

test('what is away or gone is no damage; what ends early, or fails twice, is', async t => {
  let failures = 0;
  const store = storeOf({
    gone: () => Promise.reject(new CatalogueError('ObjNotFound')),
    early: () => Promise.resolve({ size: 10 }),
    once: () =>
      (failures += 1) === 1
        ? Promise.reject(new CatalogueError('InternalError'))
        : Promise.resolve({ size: 1, bytes: Buffer.alloc(1) }),
    away: () => Promise.reject(new CatalogueError('ServiceUnavailable')),
  });
  const { value } = start(t, store);
  await until(async () => (await value('blobs_total', 'unavailable')) === 1);
  const results = ['sound', 'damaged', 'gone', 'unavailable'].map(result => value('blobs_total', result));
  assert.deepEqual(await Promise.all(results), [1, 1, 1, 1]);
  assert.deepEqual(store.opened, ['gone', 'early', 'early', 'once', 'once', 'away']);
  assert.equal(store.closed, 3);
});

test('what the store knows of a blob is compared with what is read; what it does not know is counted apart', async t => {
  const bytes = Buffer.from('123456789');
  const whole = { length: 9, checksum: 0xe3069283 };
  const held = (): Promise<Partial<OpenBlob>> => Promise.resolve({ size: 9, bytes });
  const pieces = (): Promise<Partial<OpenBlob>> => {
    const left = [bytes.subarray(0, 4), bytes.subarray(4)];
    return Promise.resolve({ size: 9, next: () => Promise.resolve(left.shift()) });
  };
  const store = storeOf(
    { held, pieces, other: held, longer: pieces, replaced: held, unknown: held },
    {
      held: [whole],
      pieces: [whole],
      other: [{ length: 9, checksum: 1 }],
      longer: [{ ...whole, length: 10 }],
      replaced: [{ length: 9, checksum: 1 }, whole],
      unknown: [],
    },
  );
  const { value } = start(t, store, { roundPauseMs: 3_600_000 });
  await until(async () => (await value('rounds_total')) === 1);
  const results = ['sound', 'damaged', 'unchecked'].map(result => value('blobs_total', result));
  assert.deepEqual(await Promise.all(results), [3, 2, 1]);
  assert.equal(await value('damaged_blobs'), 2);
});

test('what fails because the store has gone is no damage', async t => {
  const store = storeOf({ a: () => Promise.reject(new CatalogueError('InternalError')) });
  store.isThere = false;
  const { value } = start(t, store);
  await until(async () => (await value('blobs_total')) === 1);
  assert.equal(await value('blobs_total', 'unavailable'), 1);
  assert.equal(await value('damaged_blobs'), 0);
});

test('keys that cannot be listed at first are listed later', async t => {
  const store = storeOf({ a: () => Promise.resolve({}) });
  let failures = 2;
  const keys = async function* (): AsyncGenerator<string, void, undefined> {
    if (failures-- > 0) throw new CatalogueError('ServiceUnavailable');
    yield* store.keys();
  };
  const { value } = start(t, { ...store, keys });
  await until(async () => (await value('rounds_total')) >= 1);
  assert.ok((await value('blobs_total', 'sound')) >= 1);
});

test('it reads no faster than it is told', async t => {
  const blob = (): Promise<Partial<OpenBlob>> =>
    Promise.resolve({ size: 20_000, bytes: Buffer.alloc(20_000) });
  const began = performance.now();
  const { value } = start(t, storeOf({ a: blob, b: blob, c: blob }), { bytesPerSecond: 500_000 });
  await until(async () => (await value('rounds_total')) === 1);
  assert.ok(performance.now() - began >= 115, '60,000 bytes at 500,000 a second');
});

test('it stops at once, whatever the store does, and what opens later is closed', async t => {
  let open: (blob: Partial<OpenBlob>) => void = () => undefined;
  const store = storeOf({
    hangs: () => new Promise(resolve => (open = resolve)),
    next: () => Promise.resolve({}),
  });
  const { scrub } = start(t, store);
  await until(() => Promise.resolve(store.opened.length === 1));
  scrub.close();
  open({});
  await until(() => Promise.resolve(store.closed === 1));
  await sleep(0);
  assert.deepEqual(store.opened, ['hangs']);
});

test('one that is started again and again comes everywhere', async t => {
  const sound = (): Promise<Partial<OpenBlob>> => Promise.resolve({});
  const store = storeOf({ a: sound, b: sound, c: sound, d: sound });
  const { value } = start(t, store, { begin: 0.5 });
  await until(async () => (await value('rounds_total')) >= 2);
  assert.deepEqual(store.opened.slice(0, 6), ['c', 'd', 'a', 'b', 'c', 'd']);
});
