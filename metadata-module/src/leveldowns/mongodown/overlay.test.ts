import assert from 'node:assert/strict';
import test from 'node:test';
import type { JournalOperation } from './journal-entry.js';
import { Overlay } from './overlay.js';

const put = (key: string, value: string) => ({ type: 'put', key, value: Buffer.from(value) }) as const;
const del = (key: string) => ({ type: 'del', key }) as const;
const entry = (number: number, operations: readonly JournalOperation[]) => ({
  number,
  operations,
  bytes: 100,
});
const all = (overlay: Overlay): [string, string | undefined][] =>
  overlay.select(() => true).map(([key, value]) => [key, value?.toString()]);

test('it shows the newest value of a key, and that a key was deleted', () => {
  const overlay = new Overlay(0);
  overlay.commit(entry(1, [put('b', '1'), put('a', '1')]));
  overlay.commit(entry(2, [del('a'), put('c', '2')]));
  assert.deepEqual(all(overlay), [
    ['a', undefined],
    ['b', '1'],
    ['c', '2'],
  ]);
  assert.equal(overlay.get('a'), null);
  assert.equal(overlay.get('d'), undefined);
});

test('what is applied goes, what came after it on the same key stays', () => {
  const overlay = new Overlay(0);
  overlay.commit(entry(1, [put('a', '1'), put('b', '1')]));
  overlay.commit(entry(2, [put('a', '2')]));
  overlay.trim(1);
  assert.deepEqual(all(overlay), [['a', '2']]);
  assert.equal(overlay.hold().floor, 1);
});

test('a read that has begun keeps what is applied meanwhile, and only until it ends', () => {
  const overlay = new Overlay(5);
  const early = overlay.hold();
  overlay.commit(entry(6, [put('a', '6')]));
  overlay.trim(6);
  const late = overlay.hold();
  overlay.commit(entry(7, [put('b', '7')]));
  overlay.trim(7);
  assert.deepEqual([early.floor, late.floor], [5, 6]);
  assert.deepEqual(all(overlay), [
    ['a', '6'],
    ['b', '7'],
  ]);
  early.release();
  assert.deepEqual(all(overlay), [['b', '7']]);
  late.release();
  assert.equal(overlay.size, 0);
  assert.equal(overlay.hold().floor, 7);
});

test('reads that hang do not make it grow: beyond a limit they must begin again, the oldest first', () => {
  for (const limit of [
    { operations: 10, bytes: Infinity },
    { operations: Infinity, bytes: 1000 },
  ]) {
    const overlay = new Overlay(0, limit);
    const [hangs, late] = [overlay.hold(), overlay.hold()];
    let sawBoth = false;
    for (let number = 1; number <= 100; number += 1) {
      overlay.commit(entry(number, [put(`k${number}`, 'v')]));
      overlay.trim(number);
      assert.ok(overlay.size <= 10, `${overlay.size} keys`);
      sawBoth ||= hangs.isValid && late.isValid && overlay.size === 10;
    }
    assert.ok(sawBoth);
    assert.deepEqual([hangs.isValid, late.isValid], [false, false]);
    assert.equal(overlay.hold().isValid, true);
    hangs.release();
    late.release();
  }
});

test('a read that begins when a batch is applied asks for a member that has it', () => {
  const overlay = new Overlay(5);
  const early = overlay.hold();
  overlay.commit(entry(6, [put('a', '6')]));
  overlay.trim(6);
  const late = overlay.hold();
  early.release();
  // What the early read needed is gone: the late one must find it in the data.
  assert.deepEqual([overlay.size, late.floor, late.isValid], [0, 6, true]);
});
