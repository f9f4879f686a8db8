import assert from 'node:assert/strict';
import test from 'node:test';
import { CatalogueError, isErrorType } from '@zenko-modules/common/errors';
import fc from 'fast-check';
import { LEVEL_ERRORS, LevelError } from '../leveldowns/plugin.js';
import type { MetadataStore } from '../metadata-store.js';
import { type Batch, faultyLevel } from '../testing/faulty-level.js';
import { contentOf, replayed } from '../testing/model/stored.js';
import { BUCKET, collect, openStore, PLAIN, VERSIONED } from '../testing/open-store.js';
import { propertyOptions } from '../testing/seed.js';

const IO_ERROR = new Error('IO error: disk on fire');

async function logged(store: MetadataStore): Promise<string[]> {
  const { log } = await store.recordLog.read({});
  const entries = (await collect(log)).flatMap(item => [...item.entries]);
  return entries.map(({ type, key, value }) => `${type} ${key} ${value ?? ''}`);
}

test('each batch is synced, and each of the commits that share one is in the log', async t => {
  const faulty = await faultyLevel();
  const store = await openStore(t, { level: faulty.level });
  const put = (n: number) => store.databases.put(BUCKET, `k${n}`, '{}', PLAIN);
  await Promise.all(Array.from({ length: 33 }, (_, n) => put(n)));
  assert.ok(faulty.batches.length > 0);
  for (const { options } of faulty.batches) assert.deepEqual(options, { sync: true });
  assert.equal((await logged(store)).length, 33);
});

for (const applied of [false, true]) {
  test(`after a batch that failed and was ${applied ? '' : 'not '}applied, numbers go on without a gap`, async t => {
    const faulty = await faultyLevel();
    const store = await openStore(t, { level: faulty.level });
    await store.databases.put(BUCKET, 'a', '1', PLAIN);
    faulty.faultOf = () => ({ error: IO_ERROR, applied });
    await assert.rejects(store.databases.put(BUCKET, 'a', '2', PLAIN), err =>
      isErrorType(err, 'InternalError'),
    );
    faulty.faultOf = () => undefined;
    await store.databases.put(BUCKET, 'b', '3', PLAIN);
    assert.equal(await store.databases.get(BUCKET, 'a', {}), applied ? '2' : '1');
    assert.deepEqual(await logged(store), ['put a 1', ...(applied ? ['put a 2'] : []), 'put b 3']);
    assert.equal(faulty.opened, 2, 'it was opened again');
  });
}

test('after unavailable the store is not opened again, only read', async t => {
  const faulty = await faultyLevel();
  const store = await openStore(t, { level: faulty.level });
  const error = new LevelError(LEVEL_ERRORS.unavailable, 'no primary');
  faulty.faultOf = () => ({ error, applied: true });
  await assert.rejects(store.databases.put(BUCKET, 'a', '1', PLAIN), err => {
    assert.ok(isErrorType(err, 'ServiceUnavailable'));
    assert.equal(err.cause, error);
    return true;
  });
  faulty.faultOf = () => undefined;
  await store.databases.put(BUCKET, 'a', '2', PLAIN);
  assert.equal(faulty.opened, 1);
  assert.deepEqual(await logged(store), ['put a 1', 'put a 2']);
});

test('a store that cannot be opened again is not ready, refuses calls at once, and recovers by itself', async t => {
  const faulty = await faultyLevel();
  const store = await openStore(t, { level: faulty.level });
  await store.databases.put(BUCKET, 'a', '1', PLAIN);
  faulty.faultOf = () => ({ error: IO_ERROR, applied: false });
  faulty.openError = IO_ERROR;
  await assert.rejects(store.databases.put(BUCKET, 'a', '2', PLAIN));
  const unavailable = (err: unknown): boolean => isErrorType(err, 'ServiceUnavailable');
  for (let round = 0; round < 3; round += 1) {
    await assert.rejects(store.ready(), unavailable);
    await assert.rejects(store.databases.put(BUCKET, 'a', '3', PLAIN), unavailable);
    await assert.rejects(store.databases.get(BUCKET, 'a', {}), unavailable);
    await assert.rejects(store.databases.list(BUCKET, {}), unavailable);
  }
  faulty.faultOf = () => undefined;
  faulty.openError = undefined;
  for (let tries = 0; ; tries += 1) {
    try {
      await store.ready();
      break;
    } catch (err) {
      if (tries > 100) throw err;
      await new Promise(resolve => setTimeout(resolve, 50));
    }
  }
  assert.equal(await store.databases.get(BUCKET, 'a', {}), '1');
  await store.databases.put(BUCKET, 'a', '4', PLAIN);
  assert.deepEqual(await logged(store), ['put a 1', 'put a 4']);
});

test('a put on a key whose last batch failed, but was applied, starts from what is stored', async t => {
  const faulty = await faultyLevel();
  const store = await openStore(t, { level: faulty.level });
  await store.databases.put(BUCKET, 'a', '{"n":1}', VERSIONED);
  const versionId = await store.databases.put(BUCKET, 'a', '{"n":2}', VERSIONED);
  faulty.faultOf = () => ({ error: IO_ERROR, applied: true });
  // Deletes the newest version, and so leaves a place holder although it fails.
  await assert.rejects(store.databases.del(BUCKET, 'a', { versionId }));
  faulty.faultOf = () => undefined;
  assert.match(await store.databases.get(BUCKET, 'a', {}), /"n":1/);
  await store.databases.idle();
  assert.deepEqual(await replayed(store), await contentOf(store));
});

test('a batch that is too large fails alone: what shared it is written', async t => {
  const faulty = await faultyLevel();
  const store = await openStore(t, { level: faulty.level });
  const isLarge = (operations: Batch): boolean => operations.some(({ key }) => key === BUCKET.keyOf('large'));
  faulty.faultOf = operations =>
    isLarge(operations)
      ? { error: new LevelError(LEVEL_ERRORS.tooLarge, 'more than 16 MB'), applied: false }
      : undefined;
  const results = await Promise.allSettled(
    ['a', 'b', 'large', 'c'].map(key => store.databases.put(BUCKET, key, '{}', PLAIN)),
  );
  assert.deepEqual(
    results.map(result => (result.status === 'rejected' ? (result.reason as CatalogueError).type : 'stored')),
    ['stored', 'stored', 'EntityTooLarge', 'stored'],
  );
  assert.equal((await logged(store)).length, 3);
  await store.ready();
});

test('a store that another process has taken over is reported, from a write and from a read', async t => {
  const error = new LevelError(LEVEL_ERRORS.fenced, 'another process has the lease');
  const faulty = await faultyLevel();
  const told: Error[] = [];
  const store = await openStore(t, { level: faulty.level, onLost: err => told.push(err) });
  faulty.faultOf = () => ({ error, applied: false });
  await assert.rejects(store.databases.put(BUCKET, 'a', '1', PLAIN), err =>
    isErrorType(err, 'ServiceUnavailable'),
  );
  assert.deepEqual(told, [error]);
  faulty.faultOf = () => undefined;
  Object.assign(faulty.level, {
    get: (_key: string, _options: unknown, done: (err: Error) => void) => done(error),
    getMany: (_keys: string[], _options: unknown, done: (err: Error) => void) => done(error),
  });
  await assert.rejects(store.databases.get(BUCKET, 'a', {}));
  assert.equal(told.length, 2);
});

test('a call that was told that it took too long is not begun, nor written when it waits', async t => {
  const faulty = await faultyLevel();
  const store = await openStore(t, { level: faulty.level });
  let release: (() => void) | undefined;
  faulty.held = new Promise(resolve => (release = resolve));
  const first = store.databases.put(BUCKET, 'a', '1', PLAIN);
  // Its batch is on its way, and what comes now waits for the next.
  await new Promise(resolve => setImmediate(resolve));
  const controller = new AbortController();
  const late = ['a', 'b'].map(key => store.databases.put(BUCKET, key, '2', PLAIN, controller.signal));
  const refused = late.map(put => assert.rejects(put, err => isErrorType(err, 'ServiceUnavailable')));
  await new Promise(resolve => setImmediate(resolve));
  controller.abort();
  release?.();
  faulty.held = undefined;
  await first;
  await Promise.all(refused);
  assert.deepEqual(await logged(store), ['put a 1']);
});

test('more than can wait is answered with SlowDown, and nothing that was accepted is lost', async t => {
  const faulty = await faultyLevel();
  const store = await openStore(t, { level: faulty.level });
  let release: (() => void) | undefined;
  faulty.held = new Promise(resolve => (release = resolve));
  const large = 'x'.repeat(30 * 1024 * 1024);
  const puts = Array.from({ length: 12 }, (_, index) =>
    store.databases.put(BUCKET, `k${index}`, large, PLAIN),
  );
  const results = Promise.allSettled(puts);
  await new Promise(resolve => setImmediate(resolve));
  release?.();
  faulty.held = undefined;
  const stored = (await results).filter(({ status }) => status === 'fulfilled').length;
  for (const result of await results) {
    if (result.status === 'rejected') assert.ok(isErrorType(result.reason, 'SlowDown'));
  }
  assert.ok(stored >= 8 && stored < 12, `${stored} of 12 were stored`);
  assert.equal(store.recordLog.last, stored);
});

test('random failures: what was acknowledged is stored, the log is the store, and has no gap', async t => {
  const call = fc.record({
    key: fc.constantFrom('a', 'b', 'c'),
    kind: fc.constantFrom('put', 'versioned', 'del'),
    fault: fc.constantFrom(undefined, undefined, 'lost', 'applied', 'unavailable', 'unavailable applied'),
  });
  const property = fc.asyncProperty(
    fc.array(fc.array(call, { maxLength: 4 }), { maxLength: 12 }),
    async groups => {
      const faulty = await faultyLevel();
      const store = await openStore({ after: () => undefined }, { level: faulty.level });
      const versions: string[] = [];
      let n = 0;
      for (const group of groups) {
        const faults = group.map(({ fault }) => fault);
        faulty.faultOf = () => {
          const fault = faults.shift();
          if (fault === undefined) return undefined;
          const error = fault.startsWith('unavailable')
            ? new LevelError(LEVEL_ERRORS.unavailable, 'gone')
            : IO_ERROR;
          return { error, applied: fault.endsWith('applied') };
        };
        await Promise.allSettled(
          group.map(async ({ key, kind }) => {
            n += 1;
            if (kind === 'del') await store.databases.del(BUCKET, key, {});
            else {
              const id = await store.databases.put(
                BUCKET,
                key,
                `{"n":${n}}`,
                kind === 'put' ? PLAIN : VERSIONED,
              );
              if (id !== undefined) versions.push(`${key}\0${id}`);
            }
          }),
        );
      }
      faulty.faultOf = () => undefined;
      await store.databases.put(BUCKET, 'last', '{}', PLAIN);
      const content = await contentOf(store);
      for (const version of versions) assert.ok(content.get('bucket')?.has(version));
      assert.deepEqual(await replayed(store), content);
      await store.close();
    },
  );
  await fc.assert(property, propertyOptions(t, 500));
});
