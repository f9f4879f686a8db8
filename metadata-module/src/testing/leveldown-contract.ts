/**
 * What the metadata module relies on in a LevelDOWN, beyond abstract-leveldown's own suite: a LevelDOWN is
 * done when both pass. Ten lines of test file run it:
 *
 *     testLevelDown({ name: 'mine', permanent: true, effort: 0.02, place: async t => ({ level: () => … }) });
 */
import assert from 'node:assert/strict';
import test, { type TestContext } from 'node:test';
import fc from 'fast-check';
import {
  closeLevel,
  getValue,
  openLevel,
  readEntries,
  writeBatch,
  type ByteOperation,
} from '../leveldowns/level-calls.js';
import type { LevelDown } from '../leveldowns/plugin.js';
import type { LevelKind, LevelPlace } from './level-place.js';
import { propertyOptions } from './seed.js';

type Body = (t: TestContext, kind: LevelKind) => Promise<void>;

const put = (key: string | Buffer, value: string | Buffer): ByteOperation => ({
  type: 'put',
  key: Buffer.from(key),
  value: Buffer.from(value),
});
const del = (key: string | Buffer): ByteOperation => ({ type: 'del', key: Buffer.from(key) });

const TESTS: Readonly<Record<string, Body>> = {
  'a batch is all there when it is acknowledged': async (t, kind) => {
    await opened(t, kind, async level => {
      await writeBatch(level, [put('a', '1'), put('b', '2'), del('a')]);
      assert.equal(await getValue(level, 'a'), undefined);
      assert.equal((await getValue(level, 'b'))?.toString(), '2');
    });
  },

  'within a batch the last operation on a key counts': async (t, kind) => {
    await opened(t, kind, async level => {
      await writeBatch(level, [put('a', '1'), del('a'), put('a', '2'), put('b', '1'), del('b')]);
      assert.deepEqual(await all(level), [['a', '2']]);
    });
  },

  'a batch with one bad operation changes nothing': async (t, kind) => {
    await opened(t, kind, async level => {
      await writeBatch(level, [put('a', '1')]);
      const nothing = JSON.parse('null') as Buffer; // what the types forbid
      const bad: ByteOperation = { type: 'put', key: Buffer.from('c'), value: nothing };
      await assert.rejects(writeBatch(level, [put('a', '2'), put('b', '2'), bad]));
      assert.deepEqual(await all(level), [['a', '1']]);
    });
  },

  'batches that are given at once are written in that order': async (t, kind) => {
    await opened(t, kind, async level => {
      const last = new Map<string, string>();
      const batches = Array.from({ length: 100 }, (_, index) => {
        const [key, value] = [`k${index % 3}`, String(index)];
        last.set(key, value);
        return writeBatch(level, [put(key, value), put(`n${value}`, value)]);
      });
      await Promise.all(batches);
      for (const [key, value] of last) assert.equal((await getValue(level, key))?.toString(), value);
      assert.equal((await all(level)).length, 103);
    });
  },

  'a missing key is told apart from an error': async (t, kind) => {
    await opened(t, kind, async level => {
      const err = await new Promise<Error | undefined>(resolve => {
        level.get('missing', (failure: Error | undefined) => resolve(failure));
      });
      assert.match(err?.message ?? '', /^not\s?found/i);
    });
  },

  'text comes back as it was, whatever its characters': async (t, kind) => {
    await opened(t, kind, async level => {
      const texts = ['é', '😀', '\u0000', '\ud7ff', '\ue000', '\uffff', '!a!b', '"\\\n', ' ', 'k\u00001'];
      await writeBatch(
        level,
        texts.map(text => put(text, text)),
      );
      for (const text of texts) {
        const value = await new Promise(resolve => {
          level.get(text, { asBuffer: false }, (_err: unknown, got: unknown) => resolve(got));
        });
        assert.equal(value, text);
      }
    });
  },

  'an empty value and one of five million bytes come back whole': async (t, kind) => {
    await opened(t, kind, async level => {
      const large = Buffer.alloc(5_000_000, 'large value ');
      await writeBatch(level, [put('empty', ''), put('large', large)]);
      assert.equal((await getValue(level, 'empty'))?.length, 0);
      assert.ok((await getValue(level, 'large'))?.equals(large));
    });
  },

  'random batches of random bytes read back in byte order, from every bound': async (t, kind) => {
    const bytes = fc.uint8Array({ minLength: 1, maxLength: 4 }).map(array => Buffer.from(array));
    const key = fc.oneof(
      bytes,
      fc.constantFrom(...['a', 'a\0', 'a\0b', 'b', 'é', '😀', '\uffff'].map(k => Buffer.from(k))),
    );
    const operation: fc.Arbitrary<ByteOperation> = fc.oneof(
      fc.record({ type: fc.constant('put' as const), key, value: bytes }),
      fc.record({ type: fc.constant('del' as const), key }),
    );
    const range = fc.record(
      { gt: key, gte: key, lt: key, lte: key, limit: fc.integer({ min: -1, max: 5 }), reverse: fc.boolean() },
      { requiredKeys: [] },
    );
    const batches = fc.array(fc.array(operation, { maxLength: 8 }), { maxLength: 6 });
    const property = fc.asyncProperty(batches, fc.array(range, { maxLength: 5 }), async (writes, ranges) => {
      await opened(t, kind, async level => {
        const model = new Map<string, Buffer>();
        for (const batch of writes) {
          await writeBatch(level, batch);
          for (const op of batch) {
            if (op.type === 'put') model.set(op.key.toString('latin1'), op.value);
            else model.delete(op.key.toString('latin1'));
          }
        }
        for (const wanted of [{}, ...ranges.map(oneBoundPerSide)]) {
          const got = [];
          for await (const entry of readEntries(level, wanted)) got.push([entry.key, entry.value]);
          assert.deepEqual(got, select(model, wanted));
        }
      });
    });
    await fc.assert(property, propertyOptions(t, Math.ceil(300 * kind.effort)));
  },

  'an iterator shows the store as it was when it was made': async (t, kind) => {
    await opened(t, kind, async level => {
      if (!(level as { supports?: { snapshots?: boolean } }).supports?.snapshots) {
        t.skip('it makes no snapshots, and says so');
        return;
      }
      const before = Array.from({ length: 500 }, (_, index) =>
        put(`k${String(index).padStart(4, '0')}`, 'old'),
      );
      await writeBatch(level, before);
      const entries = readEntries(level);
      const first = await entries.next();
      await writeBatch(level, [...before.map(({ key }) => put(key, 'new')), put('k0000x', 'new')]);
      const values = [first.value?.value.toString()];
      for await (const { value } of entries) values.push(value.toString());
      assert.deepEqual(
        values,
        before.map(() => 'old'),
      );
    });
  },

  'an iterator over what is being written misses no key that stays': async (t, kind) => {
    await opened(t, kind, async level => {
      const stays = Array.from({ length: 300 }, (_, index) => `k${String(index).padStart(4, '0')}`);
      await writeBatch(
        level,
        stays.map(key => put(key, key)),
      );
      const stop = new AbortController();
      const writer = (async () => {
        for (let index = 0; !stop.signal.aborted; index += 1) {
          const key = `k${String(index % 300).padStart(4, '0')}x`;
          await writeBatch(level, [index % 2 ? del(key) : put(key, 'x')]);
        }
      })();
      const reader = async (): Promise<void> => {
        for (let round = 0; round < 5; round += 1) {
          const keys = [];
          for await (const { key } of readEntries(level)) keys.push(key.toString());
          assert.deepEqual(
            keys.filter(key => !key.endsWith('x')),
            stays,
          );
          assert.deepEqual(keys, [...new Set(keys)].sort());
        }
      };
      // The writer ends before the store is closed, also when the reader fails.
      await Promise.all([reader().finally(() => stop.abort()), writer]);
    });
  },

  'a reader may stop half-way, and the store may be closed then': async (t, kind) => {
    await opened(t, kind, async level => {
      await writeBatch(
        level,
        Array.from({ length: 2000 }, (_, index) => put(`k${index}`, 'v'.repeat(200))),
      );
      for (let reader = 0; reader < 20; reader += 1) {
        for await (const entry of readEntries(level)) if (entry.key.length > 0) break;
      }
    });
  },

  'what was acknowledged is there when the store is opened again': async (t, kind) => {
    if (!kind.permanent) {
      t.skip('it keeps nothing, and says so');
      return;
    }
    const place = await kind.place(t);
    for (let round = 0; round < 3; round += 1) {
      await withLevel(place, async level => {
        assert.equal((await all(level)).length, round * 10);
        await writeBatch(
          level,
          Array.from({ length: 11 }, (_, index) => put(`${round}-${index}`, 'v')),
        );
        await writeBatch(level, [del(`${round}-0`)]);
      });
    }
    await withLevel(place, async level => assert.equal((await all(level)).length, 30));
  },

  'the same instance may be closed and opened again': async (t, kind) => {
    const place = await kind.place(t);
    const level = await place.level();
    await openLevel(level);
    await writeBatch(level, [put('a', '1')]);
    await closeLevel(level);
    await openLevel(level);
    assert.deepEqual(await all(level), [['a', '1']]);
    await writeBatch(level, [put('b', '2')]);
    assert.equal((await all(level)).length, 2);
    await closeLevel(level);
  },
};

/** Registers the tests of the contract for one kind of LevelDOWN. */
export function testLevelDown(kind: LevelKind): void {
  for (const [name, body] of Object.entries(TESTS)) {
    test(`${kind.name}: ${name}`, t => body(t, kind));
  }
}

async function opened(
  t: TestContext,
  kind: LevelKind,
  use: (level: LevelDown) => Promise<void>,
): Promise<void> {
  await withLevel(await kind.place(t), use);
}

async function withLevel(place: LevelPlace, use: (level: LevelDown) => Promise<void>): Promise<void> {
  const level = await place.level();
  await openLevel(level);
  try {
    await use(level);
  } finally {
    await closeLevel(level);
  }
}

async function all(level: LevelDown): Promise<[string, string][]> {
  const entries: [string, string][] = [];
  for await (const { key, value } of readEntries(level)) entries.push([key.toString(), value.toString()]);
  return entries;
}

interface Range {
  readonly gt?: Buffer;
  readonly gte?: Buffer;
  readonly lt?: Buffer;
  readonly lte?: Buffer;
  readonly limit?: number;
  readonly reverse?: boolean;
}

/** The module never gives two bounds for one side. */
function oneBoundPerSide({ gt, gte, lt, lte, limit, reverse }: Range): Range {
  return {
    ...(gt ? { gt } : gte && { gte }),
    ...(lt ? { lt } : lte && { lte }),
    ...(limit !== undefined && { limit }),
    ...(reverse !== undefined && { reverse }),
  };
}

function select(model: ReadonlyMap<string, Buffer>, range: Range): [Buffer, Buffer][] {
  const { gt, gte, lt, lte, limit = -1, reverse = false } = range;
  const entries = [...model]
    .map(([key, value]): [Buffer, Buffer] => [Buffer.from(key, 'latin1'), value])
    .filter(
      ([key]) =>
        (!gt || key.compare(gt) > 0) &&
        (!gte || key.compare(gte) >= 0) &&
        (!lt || key.compare(lt) < 0) &&
        (!lte || key.compare(lte) <= 0),
    )
    .sort(([a], [b]) => a.compare(b));
  if (reverse) entries.reverse();
  return limit >= 0 ? entries.slice(0, limit) : entries;
}
