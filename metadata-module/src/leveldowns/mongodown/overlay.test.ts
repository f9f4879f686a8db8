import assert from 'node:assert/strict';
import test from 'node:test';
import { Overlay } from './overlay.js';

const put = (key: string, value: string) => ({ type: 'put', key, value: Buffer.from(value) }) as const;
const del = (key: string) => ({ type: 'del', key }) as const;
const all = (overlay: Overlay): [string, string | undefined][] =>
  overlay.select(() => true).map(([key, value]) => [key, value?.toString()]);

test('it shows the newest value of a key, and that a key was deleted', () => {
  const overlay = new Overlay(0);
  overlay.commit(1, [put('b', '1'), put('a', '1')]);
  overlay.commit(2, [del('a'), put('c', '2')]);
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
  overlay.commit(1, [put('a', '1'), put('b', '1')]);
  overlay.commit(2, [put('a', '2')]);
  overlay.trim(1);
  assert.deepEqual(all(overlay), [['a', '2']]);
  assert.equal(overlay.hold().floor, 1);
});

test('a read that has begun keeps what is applied meanwhile, and only until it ends', () => {
  const overlay = new Overlay(5);
  const early = overlay.hold();
  overlay.commit(6, [put('a', '6')]);
  overlay.trim(6);
  const late = overlay.hold();
  overlay.commit(7, [put('b', '7')]);
  overlay.trim(7);
  assert.deepEqual([early.floor, late.floor], [5, 5]);
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
