/** What is read while a batch is being written: what was there when it was asked for. */
import assert from 'node:assert/strict';
import { open } from 'node:fs/promises';
import path from 'node:path';
import test, { type TestContext } from 'node:test';
import { temporaryFolder } from '@zenko-modules/common/testing/temporary-folder';
import { getValue, writeBatch } from '../level-calls.js';
import type { JsonDown } from './json-down.js';
import { allEntries, openedJsonDown } from './testing/collect.js';

const put = (store: JsonDown, key: string, value: string): Promise<void> =>
  writeBatch(store, [{ type: 'put', key, value }]);

/** Holds every sync of a file from when `begun` resolves until `release` is called. */
async function holdSyncs(
  t: TestContext,
  file: string,
): Promise<{ begun: Promise<void>; release: () => void }> {
  const handle = await open(file);
  const prototype = Object.getPrototypeOf(handle) as typeof handle;
  await handle.close();
  let begin = (): void => undefined;
  let release = (): void => undefined;
  const begun = new Promise<void>(resolve => (begin = resolve));
  const released = new Promise<void>(resolve => (release = resolve));
  t.mock.method(prototype, 'datasync', async () => {
    begin();
    await released;
  });
  return { begun, release };
}

async function heldStore(
  t: TestContext,
): Promise<{ store: JsonDown; held: Awaited<ReturnType<typeof holdSyncs>> }> {
  const folder = path.join(await temporaryFolder(t), 'store');
  const store = await openedJsonDown(t, folder);
  await put(store, 'a', 'before');
  return { store, held: await holdSyncs(t, path.join(folder, 'data.json')) };
}

test('a read does not wait for a batch that is being written', async t => {
  const { store, held } = await heldStore(t);
  const writing = put(store, 'a', 'after');
  await held.begun;
  assert.equal((await getValue(store, 'a'))?.toString(), 'before');
  assert.deepEqual(await allEntries(store), { a: 'before' });
  held.release();
  await writing;
  assert.equal((await getValue(store, 'a'))?.toString(), 'after');
});

test('an iterator and a clear that begin while a batch is being written know nothing of later ones', async t => {
  const { store, held } = await heldStore(t);
  const writing = put(store, 'b', 'under way');
  await held.begun;
  const iterator = store.iterator({ keyAsBuffer: false });
  const clearing = new Promise<void>((resolve, reject) => {
    store.clear((err?: Error | null) => (err ? reject(err) : resolve()));
  });
  const later = put(store, 'c', 'later');
  held.release();
  await Promise.all([writing, clearing, later]);
  const keys: unknown[] = [];
  const next = (): Promise<unknown> =>
    new Promise((resolve, reject) => iterator.next((err, key) => (err ? reject(err) : resolve(key))));
  for (let key = await next(); key !== undefined; key = await next()) keys.push(key);
  await new Promise<void>(resolve => iterator.end(() => resolve()));
  assert.deepEqual(keys, ['a']);
  assert.deepEqual(await allEntries(store), { b: 'under way', c: 'later' });
});
