/** Iterators whose LevelDOWN reads ahead: nothing is left out, doubled, or handed out after the end. */
import assert from 'node:assert/strict';
import test, { type TestContext } from 'node:test';
import { sleep } from '@zenko-modules/common/deadline';
import { isErrorType } from '@zenko-modules/common/errors';
import { seededRandom } from '@zenko-modules/common/testing/random';
import type { LevelDown } from '../leveldowns/plugin.js';
import { holdIterators } from '../testing/held-iterators.js';
import { LEVELDOWN } from '../testing/level-place.js';
import { OpenLevel } from './open-level.js';

const KEYS = Array.from({ length: 5000 }, (_, n) => `k${String(n).padStart(6, '0')}`);

async function open(t: TestContext): Promise<OpenLevel> {
  return filled(t, await (await LEVELDOWN.place(t)).level());
}

async function filled(t: TestContext, level: LevelDown): Promise<OpenLevel> {
  const store = await OpenLevel.open(level);
  t.after(() => store.close());
  const pad = 'x'.repeat(100);
  await store.batch(KEYS.map(key => ({ type: 'put', key, value: key + pad })));
  return store;
}

test('entries at hand and entries that are waited for come in one order, each once', async t => {
  const random = seededRandom(t);
  const store = await open(t);
  for (const reverse of [false, true]) {
    const entries = store.entries({ reverse });
    const read: string[] = [];
    let atHand = 0;
    for (let ended = false; !ended;) {
      const steps = await Promise.all(Array.from({ length: random.integer(1, 3) }, () => entries.next()));
      for (const step of steps) {
        if (step.done) ended = true;
        else read.push(step.value.key);
      }
      for (let left = random.integer(0, 400); left > 0; left -= 1) {
        const entry = entries.atHand();
        if (entry === undefined) break;
        assert.ok(entry.value.startsWith(entry.key));
        read.push(entry.key);
        atHand += 1;
      }
    }
    assert.deepEqual(read, reverse ? [...KEYS].reverse() : KEYS);
    assert.ok(atHand > KEYS.length / 2, `${atHand} at hand`);
    assert.equal(entries.atHand(), undefined);
  }
  assert.equal(store.entriesRead, KEYS.length * 2);
  assert.equal(store.openIterators, 0);
});

test('while somebody waits for an entry none is at hand', async t => {
  const store = await open(t);
  const entries = store.entries({});
  await entries.next();
  const step = entries.next();
  assert.equal(entries.atHand(), undefined);
  assert.equal((await step).value?.key, KEYS[1]);
  assert.equal(entries.atHand()?.key, KEYS[2]);
  await entries.return();
});

test('who has left, or whose store was closed, gets nothing of what was read ahead', async t => {
  const store = await open(t);
  const [left, closed] = [store.entries({}), store.entries({})];
  for (const entries of [left, closed]) for (let n = 0; n < 2; n += 1) await entries.next();
  await left.return();
  assert.equal(left.atHand(), undefined);
  assert.deepEqual(await left.next(), { done: true, value: undefined });
  assert.equal(store.openIterators, 1);
  await store.close();
  assert.equal(closed.atHand(), undefined);
  await assert.rejects(closed.next(), /what was read is not all/);
});

test('who comes back for more has the next entries read meanwhile, and hears of a failure when he asks for them', async t => {
  const level = await (await LEVELDOWN.place(t)).level();
  let steps = 0;
  holdIterators(level, step => {
    steps = step;
    return step === 3 ? Promise.reject(new Error('the disk is broken')) : Promise.resolve(undefined);
  });
  const store = await filled(t, level);
  const entries = store.entries({});
  await entries.next();
  await sleep(5);
  assert.equal(steps, 1, 'he may have wanted no more than one');
  await entries.next();
  assert.equal(steps, 3);
  await sleep(5);
  let read = 2;
  while (entries.atHand() !== undefined) read += 1;
  assert.ok(read > 100, `${read} before the failure`);
  await assert.rejects(entries.next(), err => isErrorType(err, 'InternalError'));
  assert.equal(store.openIterators, 0);
});
