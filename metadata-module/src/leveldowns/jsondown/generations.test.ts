/** New snapshots while batches go on, and what is there after a crash between any two steps. */
import assert from 'node:assert/strict';
import { appendFile, cp, readdir, rm } from 'node:fs/promises';
import path from 'node:path';
import test from 'node:test';
import { temporaryFolder } from '@zenko-modules/common/testing/temporary-folder';
import { closeLevel, getValue, openLevel, readEntries, writeBatch } from '../level-calls.js';
import { FolderStorage } from './folder-storage.js';
import { JsonDown } from './json-down.js';
import { allEntries, openedJsonDown, readStore } from './testing/collect.js';
import { ObservedStorage, type Step } from './testing/observed-storage.js';

const put = (store: JsonDown, key: string, value = 'v'.repeat(50)): Promise<void> =>
  writeBatch(store, [{ type: 'put', key, value }]);

test('a crash before or after any step leaves every acknowledged batch, and none half', async t => {
  const root = await temporaryFolder(t);
  const live = path.join(root, 'live');
  const acknowledged: Record<string, string> = {};
  let under: string | undefined;
  let copies = 0;
  const seen = new Set<string>();
  const crash = async (step: string): Promise<void> => {
    seen.add(step);
    copies += 1;
    const copy = path.join(root, String(copies));
    await cp(live, copy, { recursive: true, filter: source => !source.endsWith(`${path.sep}lock`) });
    const before = { ...acknowledged };
    const found: Record<string, string> = await readStore(copy).catch((err: unknown) => {
      // Before the first snapshot there is no store yet.
      if (under === undefined && String(err).includes('does not exist')) return {};
      throw err;
    });
    const keys = Object.keys(found).filter(key => !(key in before) && key.split('-')[0] !== under);
    assert.deepEqual(keys, [], `${step}: nothing but what is acknowledged or under way`);
    for (const key of Object.keys(before)) assert.equal(found[key], before[key], `${step}: ${key}`);
    const half = Object.keys(found).filter(key => key.split('-')[0] === under).length;
    assert.ok(half === 0 || half === 2, `${step}: the batch under way is whole or not there`);
    await rm(copy, { recursive: true });
  };
  const storage = new ObservedStorage(new FolderStorage(live), {
    before: step => crash(`before ${step}`),
    after: step => crash(`after ${step}`),
    exclusive: true,
  });
  const store = new JsonDown(storage, { journalMinBytes: 500 });
  await openLevel(store);
  for (let number = 0; number < 40; number += 1) {
    under = String(number);
    const keys = [`${number}-a`, `${number}-b`];
    await writeBatch(
      store,
      keys.map(key => ({ type: 'put', key, value: 'v'.repeat(30) })),
    );
    for (const key of keys) acknowledged[key] = 'v'.repeat(30);
  }
  under = undefined;
  await closeLevel(store);
  const steps: Step[] = ['append', 'createJournal', 'removeJournal', 'replaceSnapshot'];
  assert.deepEqual([...seen].sort(), steps.flatMap(step => [`after ${step}`, `before ${step}`]).sort());
  assert.ok(copies > 100, `${copies} crashes`);
});

test('batches are written while a snapshot is, and it holds none of them', async t => {
  const folder = path.join(await temporaryFolder(t), 'store');
  let release = (): void => undefined;
  const released = new Promise<void>(resolve => (release = resolve));
  const begun: string[] = [];
  const storage = new ObservedStorage(new FolderStorage(folder), {
    before: async step => {
      if (step !== 'replaceSnapshot' || begun.length === 0) return;
      begun.push('snapshot');
      await released;
    },
  });
  const store = await openedJsonDown(t, storage, { journalMinBytes: 1000 });
  begun.push('open');
  let number = 0;
  for (; begun.length < 2; number += 1) await put(store, `before${number}`);
  for (let more = 0; more < 100; more += 1) await put(store, `during${more}`);
  assert.equal((await readdir(folder)).filter(name => name.startsWith('journal')).length, 2);
  release();
  await closeLevel(store);
  assert.equal(Object.keys(await readStore(folder)).length, number + 100);
  assert.equal((await readdir(folder)).filter(name => name.startsWith('journal')).length, 1);
});

test('journals do not outgrow the data: they are removed once a snapshot holds what they hold', async t => {
  const folder = path.join(await temporaryFolder(t), 'store');
  const inner = new FolderStorage(folder);
  const store = await openedJsonDown(t, inner, { journalMinBytes: 2000 });
  for (let number = 0; number < 400; number += 1) await put(store, `key${number % 10}`);
  await closeLevel(store);
  assert.deepEqual((await readdir(folder)).filter(name => !name.startsWith('journal')).sort(), [
    'data.json',
    'lock',
  ]);
  assert.equal((await inner.journals()).length, 1);
  assert.equal(Object.keys(await readStore(folder)).length, 10);
});

for (const failing of ['createJournal', 'replaceSnapshot', 'removeJournal'] as const) {
  test(`when ${failing} fails, batches go on and nothing is lost`, async t => {
    const folder = path.join(await temporaryFolder(t), 'store');
    let failures = -1;
    const storage = new ObservedStorage(new FolderStorage(folder), {
      before: step => {
        if (step !== failing || failures < 0) return Promise.resolve();
        failures += 1;
        return Promise.reject(new Error('ENOSPC: no space left on device'));
      },
    });
    const store = await openedJsonDown(t, storage, { journalMinBytes: 500 });
    failures = 0;
    const expected: Record<string, string> = {};
    for (let number = 0; number < 60; number += 1) {
      await put(store, `key${number}`, String(number));
      expected[`key${number}`] = String(number);
    }
    assert.ok(failures > 0);
    assert.deepEqual(await allEntries(store), expected);
    const crashed = `${folder}-crashed`;
    await cp(folder, crashed, { recursive: true, filter: source => !source.endsWith(`${path.sep}lock`) });
    assert.deepEqual(await readStore(crashed), expected);
    failures = -1;
    await closeLevel(store);
    assert.deepEqual(await readStore(folder), expected);
  });
}

test('after a failure that leaves it open what the journal holds, the next batch begins a new one', async t => {
  const folder = path.join(await temporaryFolder(t), 'store');
  const failing = { before: new Set<Step>(), after: new Set<Step>() };
  const failIn = (steps: Set<Step>) => (step: Step) =>
    steps.has(step) ? Promise.reject(new Error(`EIO: ${step} failed`)) : Promise.resolve();
  const storage = new ObservedStorage(new FolderStorage(folder), {
    before: failIn(failing.before),
    after: failIn(failing.after),
  });
  const store = await openedJsonDown(t, storage);
  await put(store, 'kept', '1');
  for (const when of ['before', 'after'] as const) {
    failing[when].add('append').add('replaceSnapshot');
    await assert.rejects(put(store, `lost ${when}`), /append failed/);
    await assert.rejects(store.ping(), /replaceSnapshot failed/);
    await assert.rejects(put(store, `lost ${when}`), /replaceSnapshot failed/);
    await assert.rejects(
      getValue(store, 'kept'),
      /replaceSnapshot failed/,
      'until it is known, nothing is read',
    );
    await assert.rejects(allEntries(store), /replaceSnapshot failed/);
    failing[when].clear();
    assert.equal(await getValue(store, `lost ${when}`), undefined, 'a batch that failed is not seen');
    await store.ping();
    await put(store, `next ${when}`, '2');
  }
  const expected = { kept: '1', 'next after': '2', 'next before': '2' };
  assert.deepEqual(await allEntries(store), expected);
  const crashed = `${folder}-crashed`;
  await cp(folder, crashed, { recursive: true, filter: source => !source.endsWith(`${path.sep}lock`) });
  assert.deepEqual(await readStore(crashed), expected);
});

test('a journal that is removed under an open store is noticed, and what it held is written again', async t => {
  const folder = path.join(await temporaryFolder(t), 'store');
  const store = await openedJsonDown(t, folder);
  await put(store, 'a', '1');
  await rm(path.join(folder, 'journal-000001.jsonl'));
  const message = /journal-000001\.jsonl was removed while it was in use/;
  await assert.rejects(put(store, 'b', '2'), { code: 'LEVEL_UNAVAILABLE', message });
  await store.ping();
  await put(store, 'c', '3');
  await closeLevel(store);
  assert.deepEqual(await readStore(folder), { a: '1', c: '3' });
});

test('batches that come at a time are written one after the other, in the order of the calls', async t => {
  const folder = path.join(await temporaryFolder(t), 'store');
  let [underWay, most] = [0, 0];
  const storage = new ObservedStorage(new FolderStorage(folder), {
    before: step => {
      if (step === 'append') most = Math.max(most, ++underWay);
      return Promise.resolve();
    },
    after: step => {
      if (step === 'append') underWay -= 1;
      return Promise.resolve();
    },
  });
  const store = await openedJsonDown(t, storage);
  const done: number[] = [];
  await Promise.all(
    Array.from({ length: 500 }, async (_, number) => {
      await put(store, 'key', String(number));
      done.push(number);
    }),
  );
  assert.deepEqual(
    done,
    Array.from({ length: 500 }, (_, number) => number),
  );
  assert.equal(String(await getValue(store, 'key')), '499');
  assert.equal(most, 1);
});

test('a batch that is too large is refused before anything is written', async t => {
  const store = await openedJsonDown(t, path.join(await temporaryFolder(t), 'store'));
  const value = Buffer.alloc(33 * 2 ** 20);
  const large = writeBatch(store, [
    { type: 'put', key: 'small', value: 'x' },
    { type: 'put', key: 'a', value },
    { type: 'put', key: 'b', value },
  ]);
  await assert.rejects(large, { code: 'LEVEL_TOO_LARGE', message: /a batch of \d+ bytes is larger than/ });
  assert.deepEqual(await allEntries(store), {});
  await put(store, 'after', '1');
});

test('a closed store answers with an error, also to iterators that were open, and opens again', async t => {
  const folder = path.join(await temporaryFolder(t), 'store');
  const store = new JsonDown(folder);
  await assert.rejects(put(store, 'a'), /not open/);
  await openLevel(store);
  await put(store, 'a', '1');
  const entries = readEntries(store);
  await entries.next();
  const last = put(store, 'b', '2');
  await closeLevel(store);
  await last;
  await assert.rejects(put(store, 'c'), /not open/);
  await assert.rejects(getValue(store, 'a'), /not open/);
  await assert.rejects(store.ping(), /not open/);
  assert.throws(() => store.iterator(), /not open/);
  await entries.return(undefined);
  await closeLevel(store);
  await openLevel(store);
  assert.deepEqual(await allEntries(store), { a: '1', b: '2' });
  await closeLevel(store);
});

test('what was half-written under temporary names is swept at the start; other files stay', async t => {
  const folder = path.join(await temporaryFolder(t), 'store');
  await closeLevel(await openedJsonDown(t, folder));
  for (const name of ['data.json.tmp', 'journal-000009.jsonl.tmp', 'notes.tmp']) {
    await appendFile(path.join(folder, name), 'half');
  }
  await closeLevel(await openedJsonDown(t, folder));
  const names = (await readdir(folder)).filter(name => name.endsWith('.tmp'));
  assert.deepEqual(names, ['notes.tmp']);
});
