import assert from 'node:assert/strict';
import test from 'node:test';
import { sleep } from '@zenko-modules/common/deadline';
import { isErrorType } from '@zenko-modules/common/errors';
import { seededRandom } from '@zenko-modules/common/testing/random';
import { TransferMemory } from './transfer-memory.js';

test('never is more taken than there is, and everyone gets a turn', async t => {
  const random = seededRandom(t);
  const memory = new TransferMemory(1000, 60_000);
  let taken = 0;
  let most = 0;
  let served = 0;
  const transfer = async (): Promise<void> => {
    const bytes = random.integer(1, 400);
    if (!memory.tryTake(bytes)) await memory.take(bytes);
    taken += bytes;
    most = Math.max(most, taken);
    await sleep(random.integer(0, 3));
    taken -= bytes;
    memory.give(bytes);
    served += 1;
  };
  await Promise.all(Array.from({ length: 300 }, transfer));
  assert.ok(most <= 1000 && most > 600, `${most}`);
  assert.equal(served, 300);
  assert.equal(memory.tryTake(1000), true);
});

test('one that waits too long is refused with SlowDown, and those behind it go on', async () => {
  const memory = new TransferMemory(100, 50);
  assert.equal(memory.tryTake(80), true);
  const tooMuch = memory.take(50);
  assert.equal(memory.tryTake(10), false, 'it would overtake');
  const behind = memory.take(20);
  await assert.rejects(tooMuch, err => isErrorType(err, 'SlowDown'));
  await behind;
});

test('one that needs more than there is gets it alone', async () => {
  const memory = new TransferMemory(100, 60_000);
  assert.equal(memory.tryTake(10), true);
  const large = memory.take(1000);
  memory.give(10);
  await large;
  assert.equal(memory.tryTake(1), false);
  memory.give(1000);
  assert.equal(memory.tryTake(100), true);
});
