import assert from 'node:assert/strict';
import { setImmediate as nextTurn } from 'node:timers/promises';
import test from 'node:test';
import { RpcStream } from '@zenko-modules/rpc/client';
import { OpenRead } from './open-read.js';

const MESSAGES = 30;
const ITEMS = 10;

/** A read of `end` records, of which 300 have come in messages of ten; what of them is acknowledged, and whether it is closed. */
function openRead(end = MESSAGES * ITEMS) {
  const state = { acknowledged: 0, isClosed: false };
  const stream = new RpcStream(10_000, () => (state.isClosed = true));
  const records = Array.from({ length: MESSAGES * ITEMS }, (_, i) => ({
    timestamp: '',
    db: String(i),
    entries: [],
  }));
  for (let from = 0; from < records.length; from += ITEMS) {
    stream.receive(records.slice(from, from + ITEMS), () => (state.acknowledged += 1));
  }
  return { state, stream, read: new OpenRead({ start: 1, end, stream }) };
}

test('some messages are fetched ahead and no more, and all records are taken once, in order', async () => {
  const { state, read } = openRead();
  for (let turn = 0; turn < 20; turn++) await nextTurn();
  assert.ok(state.acknowledged > 0 && state.acknowledged <= 8, `${state.acknowledged} messages were fetched`);
  const taken: string[] = [];
  for (const max of [7, 25, 1000]) {
    while (taken.length < MESSAGES * ITEMS && !read.isOver) {
      const items = await read.take(max);
      assert.ok(items.length > 0 && items.length <= max);
      taken.push(...items.map(item => item?.db ?? ''));
      if (max < 1000) break;
    }
  }
  assert.deepEqual(
    taken,
    Array.from({ length: MESSAGES * ITEMS }, (_, i) => String(i)),
  );
  assert.equal(read.isOver, true);
  assert.deepEqual(await read.take(10), []);
  read.leave();
});

test('one that breaks off gives what has come, then says why; one that is left ends', async () => {
  const broken = openRead(1000);
  broken.stream.finish(new Error('the connection was lost'));
  let count = 0;
  await assert.rejects(async () => {
    for (;;) count += (await broken.read.take(1000)).length;
  }, /the connection was lost/);
  assert.equal(count, MESSAGES * ITEMS);
  const left = openRead();
  await left.read.take(1);
  left.read.leave();
  left.read.leave();
  assert.equal(left.state.isClosed, true);
  assert.deepEqual(await left.read.take(10), []);
});
