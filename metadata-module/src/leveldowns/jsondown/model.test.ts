/** Any sequence of calls against a sorted array: bytes of every kind, iterators that stay open, reopening. */
import assert from 'node:assert/strict';
import path from 'node:path';
import test from 'node:test';
import { seededRandom } from '@zenko-modules/common/testing/random';
import { temporaryFolder } from '@zenko-modules/common/testing/temporary-folder';
import fc from 'fast-check';
import {
  closeLevel,
  getValue,
  openLevel,
  readEntries,
  writeBatch,
  type ByteEntry,
  type ByteOperation,
} from '../level-calls.js';
import { JsonDown } from './json-down.js';

interface Model {
  entries: readonly ByteEntry[];
}
interface Real {
  readonly store: JsonDown;
  readonly open: { readonly iterator: AsyncGenerator<ByteEntry>; readonly expected: ByteEntry[] }[];
}
type Command = fc.AsyncCommand<Model, Real>;

const bytes = (minLength: number): fc.Arbitrary<Buffer> =>
  fc.uint8Array({ minLength, maxLength: 2, max: 255 }).map(array => Buffer.from(array));
const bound = fc.option(bytes(1), { nil: undefined });
const operation: fc.Arbitrary<ByteOperation> = fc.oneof(
  fc.record({ type: fc.constant('put' as const), key: bytes(1), value: bytes(0) }),
  fc.record({ type: fc.constant('del' as const), key: bytes(1) }),
);
const range = fc.record({
  gt: bound,
  gte: bound,
  lt: bound,
  lte: bound,
  reverse: fc.boolean(),
  limit: fc.integer({ min: -1, max: 6 }),
});
type Range = typeof range extends fc.Arbitrary<infer R> ? R : never;

function apply(entries: readonly ByteEntry[], operations: readonly ByteOperation[]): readonly ByteEntry[] {
  const map = new Map(entries.map(entry => [entry.key.toString('latin1'), entry]));
  for (const change of operations) {
    if (change.type === 'put')
      map.set(change.key.toString('latin1'), { key: change.key, value: change.value });
    else map.delete(change.key.toString('latin1'));
  }
  return [...map.values()].sort((a, b) => Buffer.compare(a.key, b.key));
}

function select(entries: readonly ByteEntry[], { gt, gte, lt, lte, reverse, limit }: Range): ByteEntry[] {
  const found = entries.filter(
    ({ key }) =>
      (gt === undefined || Buffer.compare(key, gt) > 0) &&
      (gte === undefined || Buffer.compare(key, gte) >= 0) &&
      (lt === undefined || Buffer.compare(key, lt) < 0) &&
      (lte === undefined || Buffer.compare(key, lte) <= 0),
  );
  if (reverse) found.reverse();
  return limit < 0 ? found : found.slice(0, limit);
}

function defined(options: Range): object {
  return Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined));
}

async function collect(entries: AsyncGenerator<ByteEntry>): Promise<ByteEntry[]> {
  const found: ByteEntry[] = [];
  for await (const entry of entries) found.push(entry);
  return found;
}

function command(name: string, run: (model: Model, real: Real) => Promise<void>): Command {
  return { check: () => true, run, toString: () => name };
}

const commands = [
  fc.array(operation, { minLength: 1, maxLength: 8 }).map(operations =>
    command(`batch ${JSON.stringify(operations)}`, async (model, { store }) => {
      await writeBatch(store, operations);
      model.entries = apply(model.entries, operations);
    }),
  ),
  fc.array(fc.array(operation, { minLength: 1, maxLength: 3 }), { maxLength: 5 }).map(batches =>
    command(`batches at once ${JSON.stringify(batches)}`, async (model, { store }) => {
      await Promise.all(batches.map((operations, index) => writeBatch(store, operations, index % 2 === 0)));
      for (const operations of batches) model.entries = apply(model.entries, operations);
    }),
  ),
  bytes(1).map(key =>
    command(`get ${key.toString('hex')}`, async (model, { store }) => {
      const expected = model.entries.find(entry => entry.key.equals(key))?.value;
      assert.deepEqual(await getValue(store, key), expected);
    }),
  ),
  range.map(options =>
    command(`read ${JSON.stringify(options)}`, async (model, { store }) => {
      assert.deepEqual(await collect(readEntries(store, defined(options))), select(model.entries, options));
    }),
  ),
  range.map(options =>
    command(`clear ${JSON.stringify(options)}`, async (model, { store }) => {
      await new Promise<void>((resolve, reject) => {
        store.clear(defined(options), err => {
          if (err) reject(err);
          else resolve();
        });
      });
      const gone = new Set(select(model.entries, options));
      model.entries = model.entries.filter(entry => !gone.has(entry));
    }),
  ),
  range.map(options =>
    command(`open an iterator ${JSON.stringify(options)}`, async (model, { store, open }) => {
      const iterator = readEntries(store, defined(options));
      const expected = select(model.entries, options);
      assert.deepEqual((await iterator.next()).value, expected.shift());
      open.push({ iterator, expected });
    }),
  ),
  fc.nat({ max: 3 }).map(index =>
    command(`go on with iterator ${index}`, async (_model, { open }) => {
      const found = open[index];
      if (found !== undefined) assert.deepEqual((await found.iterator.next()).value, found.expected.shift());
    }),
  ),
  fc.constant(
    command('reopen', async (_model, { store, open }) => {
      for (const { iterator, expected } of open.splice(0))
        assert.deepEqual(await collect(iterator), expected);
      await closeLevel(store);
      await openLevel(store, { createIfMissing: false });
    }),
  ),
];

test('whatever is called, it answers as a sorted array would, and iterators read their own moment', async t => {
  const root = await temporaryFolder(t);
  let runs = 0;
  await fc.assert(
    fc.asyncProperty(fc.commands(commands, { maxCommands: 60 }), async sequence => {
      runs += 1;
      const store = new JsonDown(path.join(root, String(runs)), { journalMinBytes: 600 });
      await openLevel(store);
      try {
        const real: Real = { store, open: [] };
        await fc.asyncModelRun(() => ({ model: { entries: [] }, real }), sequence);
        for (const { iterator, expected } of real.open) assert.deepEqual(await collect(iterator), expected);
      } finally {
        await closeLevel(store);
      }
    }),
    { numRuns: 40, seed: seededRandom(t).seed },
  );
});
