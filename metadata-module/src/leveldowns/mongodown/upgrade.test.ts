/** A store as the version before left it, whose journal had a document for each batch. */
import assert from 'node:assert/strict';
import test from 'node:test';
import { mongodbMissing } from '@zenko-modules/common/testing/mongodb-server';
import { MongoClient } from 'mongodb';
import { openLevel, writeBatch } from '../level-calls.js';
import { LEVEL_ERRORS } from '../plugin.js';
import { FORMAT, LOWER_MARKER, SLOTS, UPPER_MARKER } from './documents.js';
import { contents, newPlace, newStore, withLayout, withStore, type Place } from './testing/databases.js';
import { arm, on, startWireProxy } from './testing/wire-proxy.js';

const skip = mongodbMissing;

/** Batch 3 was the last; a fence stands at 4, so that 12 would be the next number. */
async function makeFormat1(place: Place, state: object = { released: true, next: 12 }): Promise<void> {
  const client = new MongoClient(place.url);
  const db = client.db(place.database);
  const marker = { epoch: 2, applied: 3, store: 'id', touched: 5 };
  const documents: { _id: string; [field: string]: unknown }[] = [
    { _id: LOWER_MARKER, ...marker },
    { _id: UPPER_MARKER, ...marker },
    { _id: 'a', n: 1, v: Buffer.from('1') },
    { _id: 'b', n: 3, v: Buffer.from('3'), exposed: true },
    { _id: 'c', n: 3, deleted: true, exposed: true },
  ];
  const owner = { id: 'former', host: 'h', pid: 1 };
  await db.collection<{ _id: string }>('metadata').insertMany(documents);
  await db
    .collection<{ _id: number; by: string; kind: string }>('metadata.journal')
    .insertMany([{ _id: 4, by: 'former', kind: 'fence' }]);
  await db.collection<{ _id: string }>('metadata.state').insertOne({
    _id: 'state',
    format: 1,
    store: 'id',
    owner,
    epoch: 2,
    created: true,
    beat: 9,
    leaseMs: 300,
    ...{ released: false, ...state },
  } as { _id: string });
  await client.close();
}

async function check(place: Place): Promise<void> {
  await withStore(newStore(place), async store => {
    assert.deepEqual(await contents(store), { a: '1', b: '3' });
    await writeBatch(store, [
      { type: 'put', key: 'a', value: '4' },
      { type: 'put', key: 'c', value: '4' },
      { type: 'del', key: 'b' },
    ]);
  });
  assert.deepEqual(await withStore(newStore(place), contents), { a: '4', c: '4' });
  await withLayout(place, async ({ data, journal, state }) => {
    assert.equal(await data.countDocuments(), 4);
    assert.equal(await journal.countDocuments(), SLOTS);
    const found = await state.findOne({});
    assert.deepEqual([found?.format, found?.next], [FORMAT, undefined]);
  });
}

test(
  'a store of format 1 that was closed in order is taken over with all that is in it',
  { skip },
  async t => {
    const place = await newPlace(t);
    await makeFormat1(place);
    await check(place);
  },
);

test('interrupted at any of its commands, it is made anew by the next', { skip }, async t => {
  for (let index = 0; index < 5; index += 1) {
    const place = await newPlace(t);
    await makeFormat1(place);
    const proxy = await startWireProxy(t, place.url);
    let isClaimed = false;
    const hit = arm(proxy, {
      at: command => {
        isClaimed ||= on('update', '.state')(command);
        return isClaimed && command.name !== 'find' && !command.target.endsWith('.state');
      },
      skip: 2 + index,
      verdict: 'cut-before',
      afterwards: 'cut-before',
    });
    await assert.rejects(openLevel(newStore({ ...place, url: proxy.url }, { timeoutMs: 300, leaseMs: 200 })));
    assert.ok(hit());
    await check(place);
  }
});

test('one that was not closed in order is refused, and changed in nothing', { skip }, async t => {
  for (const state of [{ released: true }, { released: false }]) {
    const place = await newPlace(t);
    await makeFormat1(place, state);
    await assert.rejects(openLevel(newStore(place)), {
      code: LEVEL_ERRORS.corrupt,
      message: /format 1 and was not closed in order: open and close it once with the version that wrote it/,
    });
    await withLayout(place, async ({ data, journal, state }) => {
      assert.equal(await data.countDocuments(), 5);
      assert.equal(await journal.countDocuments(), 1);
      assert.equal((await state.findOne({}))?.format, 1);
    });
  }
});
