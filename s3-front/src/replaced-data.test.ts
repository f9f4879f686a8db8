import assert from 'node:assert/strict';
import test from 'node:test';
import { pino } from 'pino';
import { sleep } from '@zenko-modules/common/deadline';
import { CatalogueError } from '@zenko-modules/common/errors';
import { ReplacedData } from './replaced-data.js';

const key = (n: number): string => n.toString(16).padStart(40, '0');
const locations = (from: number, count: number): { key: string }[] =>
  Array.from({ length: count }, (_, n) => ({ key: key(from + n) }));

/** What is deleted of it, call by call, and what is said of what is not. */
function rig(answer: (call: number) => Promise<void> = () => Promise.resolve()) {
  const calls: string[][] = [];
  const logged: string[] = [];
  const data = {
    delete: (keys: readonly string[]): Promise<void> => {
      calls.push([...keys]);
      return answer(calls.length);
    },
  };
  const log = pino({ level: 'warn' }, { write: line => void logged.push(line) });
  return { calls, logged, replaced: new ReplacedData(data, log) };
}

const away = (): Promise<never> => Promise.reject(new CatalogueError('ServiceUnavailable', 'away'));

test('what is replaced within a moment goes with one call, and nobody waits for it', async () => {
  const { calls, replaced } = rig();
  await replaced.remove([]);
  for (let n = 0; n < 50; n += 1) await replaced.remove(locations(n, 1));
  assert.deepEqual(calls, []);
  await replaced.close();
  assert.deepEqual(calls, [locations(0, 50).map(({ key }) => key)]);
});

test('without an end it goes after that moment, and what comes later with the next call', async () => {
  const { calls, replaced } = rig();
  for (const n of [0, 1]) {
    await replaced.remove(locations(n, 1));
    while (calls.length === n) await sleep(1);
  }
  assert.deepEqual(calls, [[key(0)], [key(1)]]);
  await replaced.close();
  assert.equal(calls.length, 2);
});

test('a call has no more keys than the module takes, and an end waits for the last', async () => {
  const { calls, replaced } = rig(() => sleep(1));
  await replaced.remove(locations(0, 2500));
  await replaced.close();
  assert.deepEqual(
    calls.map(({ length }) => length),
    [1000, 1000, 500],
  );
  assert.deepEqual(
    calls.flat(),
    locations(0, 2500).map(({ key }) => key),
  );
});

test('a call that failed is made again, unless that would not help', async () => {
  const { calls, logged, replaced } = rig(call => (call === 1 ? away() : Promise.resolve()));
  await replaced.remove(locations(0, 1));
  while (calls.length < 2) await sleep(1);
  assert.deepEqual([calls, logged], [[[key(0)], [key(0)]], []]);

  const damaged = rig(call =>
    call === 1 ? Promise.reject(new CatalogueError('InternalError', 'damaged')) : Promise.resolve(),
  );
  await damaged.replaced.remove(locations(0, 1));
  while (damaged.logged.length === 0) await sleep(1);
  assert.match(
    damaged.logged.join(''),
    new RegExp(`could not be deleted.*${key(0)}|${key(0)}.*could not be deleted`),
  );
  await damaged.replaced.remove(locations(1, 1));
  await damaged.replaced.close();
  assert.deepEqual(damaged.calls, [[key(0)], [key(1)]]);
});

test('an end does not wait for a module that is away: it says what stays', async () => {
  const { calls, logged, replaced } = rig(away);
  await replaced.remove(locations(0, 3000));
  while (calls.length === 0) await sleep(1);
  await replaced.close();
  assert.equal(calls.length, 2, 'tried once more');
  const { dataKeys } = JSON.parse(logged.join('')) as { dataKeys: string[] };
  assert.deepEqual(
    dataKeys,
    locations(0, 3000).map(({ key }) => key),
  );
});

test('who replaces while too much waits has to wait, and then not for ever', async () => {
  let release = (): void => undefined;
  const gate = new Promise<void>(resolve => (release = resolve));
  const { calls, logged, replaced } = rig(call => (call === 1 ? gate : away()));
  await replaced.remove(locations(0, 1000));
  await replaced.remove(locations(1000, 10_000));
  await replaced.remove(locations(20_000, 1));
  assert.deepEqual(calls.at(-1), [key(20_000)], 'asked for at once, by who replaced it');
  assert.equal(logged.length, 1);
  release();
  await replaced.close();
});

test('what is read goes when the last reader has ended, the rest before', async () => {
  const { calls, replaced } = rig();
  const keys = (...numbers: number[]): string[] => numbers.map(key);
  const first = replaced.keepWhileRead(locations(0, 2));
  const second = replaced.keepWhileRead(locations(1, 2));
  const unconcerned = replaced.keepWhileRead(locations(50, 2));
  assert.ok(first && second && unconcerned);
  await replaced.removeNow(locations(1, 3), 'test');
  assert.deepEqual(calls, [keys(3)]);
  await replaced.remove(locations(0, 1));
  await replaced.remove(locations(4, 1));
  while (calls.length < 2) await sleep(1);
  assert.deepEqual(calls[1], keys(4));
  first();
  first();
  while (calls.length < 3) await sleep(1);
  assert.deepEqual(calls[2], keys(0));
  second();
  unconcerned();
  await replaced.close();
  assert.deepEqual(calls.slice(3), [keys(1, 2)]);
});

test('a reader may come while data waits to be deleted, and not when it is being deleted', async () => {
  let release = (): void => undefined;
  const gate = new Promise<void>(resolve => (release = resolve));
  const { calls, replaced } = rig(call => (call === 1 ? gate : Promise.resolve()));
  await replaced.remove(locations(0, 2));
  const late = replaced.keepWhileRead(locations(1, 1));
  assert.ok(late);
  while (calls.length < 1) await sleep(1);
  assert.deepEqual(calls, [[key(0)]]);
  assert.equal(replaced.keepWhileRead(locations(0, 2)), undefined);
  // It is not counted as a reader.
  late();
  release();
  while (calls.length < 2) await sleep(1);
  assert.deepEqual(calls[1], [key(1)]);
  await replaced.remove(locations(2, 1));
  replaced.keepWhileRead(locations(2, 1))?.();
  await replaced.close();
  assert.deepEqual(calls.slice(2), [[key(2)]]);
});
