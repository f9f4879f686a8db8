import assert from 'node:assert/strict';
import test from 'node:test';
import { LEVELDOWN, MEMDOWN } from '../testing/level-place.js';
import { openLevel, closeLevel, writeBatch } from '../leveldowns/level-calls.js';
import { JointReader } from './joint-reader.js';

const KEYS = Array.from({ length: 50 }, (_, n) => `k${n}`);

for (const kind of [MEMDOWN, LEVELDOWN]) {
  test(`${kind.name}: each of many reads at once gets the value of its own key, or none`, async t => {
    const level = await (await kind.place(t)).level();
    await openLevel(level);
    const present = KEYS.filter((_, n) => n % 3 !== 0);
    await writeBatch(
      level,
      present.map(key => ({ type: 'put', key, value: `v-${key}` })),
    );
    const reader = new JointReader(level);
    const read = await Promise.all([...KEYS, ...KEYS].map(key => reader.get(key)));
    const expected = KEYS.map(key => (present.includes(key) ? `v-${key}` : undefined));
    assert.deepEqual(read, [...expected, ...expected]);
    assert.equal(await reader.get('k1'), 'v-k1', 'one alone');
    await closeLevel(level);
  });
}

test('a key that cannot be read fails alone, whatever is read beside it', async t => {
  const level = await (await MEMDOWN.place(t)).level();
  await openLevel(level);
  await writeBatch(
    level,
    KEYS.map(key => ({ type: 'put', key, value: `v-${key}` })),
  );
  const damaged = new Error('Corruption: block checksum mismatch');
  type Done = (err: Error | null, value?: unknown) => void;
  const [get, getMany] = [level.get.bind(level), level.getMany.bind(level)];
  Object.assign(level, {
    get: (key: string, options: object, done: Done) =>
      key === 'k7' ? done(damaged) : get(key, options, done as never),
    getMany: (keys: string[], options: object, done: Done) =>
      keys.includes('k7') ? done(damaged) : getMany(keys, options, done as never),
  });
  const reader = new JointReader(level);
  const read = await Promise.allSettled(KEYS.map(key => reader.get(key)));
  for (const [index, result] of read.entries()) {
    if (KEYS[index] === 'k7') assert.deepEqual(result, { status: 'rejected', reason: damaged });
    else assert.deepEqual(result, { status: 'fulfilled', value: `v-${KEYS[index]}` });
  }
});

test('a store that cannot read many keys at once is asked key by key', async t => {
  const level = await (await MEMDOWN.place(t)).level();
  await openLevel(level);
  await writeBatch(level, [{ type: 'put', key: 'a', value: 'v-a' }]);
  const fails = (_keys: string[], _options: object, done: (err: Error) => void): void =>
    done(new Error('cannot'));
  const get = level.get.bind(level);
  let asked = 0;
  Object.assign(level, {
    supports: {},
    getMany: fails,
    get: (...args: Parameters<typeof get>) => {
      asked += 1;
      get(...args);
    },
  });
  const reader = new JointReader(level);
  assert.deepEqual(await Promise.all(['a', 'b'].map(key => reader.get(key))), ['v-a', undefined]);
  assert.equal(asked, 2);
});
