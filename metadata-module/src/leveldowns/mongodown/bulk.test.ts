/** Writes that come late, in any order, do no harm: the rules of bulk.ts against a server. */
import assert from 'node:assert/strict';
import test from 'node:test';
import { mongodbMissing } from '@zenko-modules/common/testing/mongodb-server';
import fc from 'fast-check';
import { propertyOptions } from '../../testing/seed.js';
import { bulkOf, moveMarkers, portionsOf } from './bulk.js';
import { MARKERS } from './markers.js';
import type { Operation } from './operations.js';
import { newPlace, withLayout } from './testing/databases.js';

type Writes = ReturnType<typeof moveMarkers>;

const key = fc.constantFrom('a', 'b', 'c');
const operation: fc.Arbitrary<Operation> = fc.oneof(
  fc.record({ type: fc.constant('put' as const), key, value: fc.constant(Buffer.from('v')) }),
  fc.record({ type: fc.constant('del' as const), key }),
);
const entries = fc.array(fc.array(operation, { minLength: 1, maxLength: 3 }), { minLength: 1, maxLength: 4 });

test(
  'what a former owner still sends, any part of it at any time, does not change what its successor makes of the journal',
  { skip: mongodbMissing },
  async t => {
    await withLayout(await newPlace(t), async ({ data }) => {
      const property = fc.asyncProperty(
        entries,
        entries,
        fc.infiniteStream(fc.nat()),
        async (before, after, moments) => {
          await data.deleteMany({});
          await data.insertMany(MARKERS.map(_id => ({ _id, epoch: 2, applied: 0 })));
          const journal = [...before, ...after].map((operations, index) => numbered(operations, index + 1));
          const some = (): number => 1 + ((moments.next().value ?? 0) % 3);
          /** The entries behind `from` up to `upTo` as one bulk, perhaps in portions. */
          const bulk = (from: number, upTo: number, epoch: number, inDoubt: boolean): Writes => {
            const operations = journal.slice(from, upTo).flat();
            const portions = portionsOf(operations, { keys: some(), bytes: Infinity });
            const writes = portions.flatMap(portion => {
              const { deletes, puts } = bulkOf({ operations: portion, number: upTo, inDoubt });
              return [...deletes, ...puts];
            });
            return [...writes, ...moveMarkers(upTo, epoch)];
          };
          /** The same as several bulks, each of one entry or some. */
          const bulks = (from: number, upTo: number, epoch: number): Writes => {
            if (from >= upTo) return [];
            const end = Math.min(upTo, from + some());
            return [...bulk(from, end, epoch, false), ...bulks(end, upTo, epoch)];
          };
          // The former owner's writes, each sent at some moment, in order; the successor's: all of that in
          // doubt, then its own.
          const late = bulks(0, before.length, 1);
          const own = [...bulk(0, before.length, 2, true), ...bulks(before.length, journal.length, 2)];
          for (const write of own) {
            const lateNow = late.splice(0, (moments.next().value ?? 0) % 3);
            // A late put that finds something newer is refused as a duplicate.
            if (lateNow.length > 0) await data.bulkWrite(lateNow, { ordered: false }).catch(isDuplicate);
            await data.bulkWrite([write]);
          }
          if (late.length > 0) await data.bulkWrite(late, { ordered: false }).catch(isDuplicate);

          const model = new Map<string, string>();
          [...before, ...after].forEach((operations, index) => {
            for (const { type, key: id } of operations) {
              if (type === 'put') model.set(id, String(index + 1));
              else model.delete(id);
            }
          });
          const found = await data.find({ _id: { $in: ['a', 'b', 'c'] } }, { sort: { _id: 1 } }).toArray();
          const visible = found.filter(({ deleted }) => deleted !== true);
          assert.deepEqual(
            visible.map(({ _id, v }) => [_id, v?.toString()]),
            [...model].sort(),
          );
          const markers = await data.find({ _id: { $in: [...MARKERS] } }).toArray();
          for (const { applied } of markers) assert.equal(applied, before.length + after.length);
        },
      );
      await fc.assert(property, propertyOptions(t, 60));
    });
  },
);

/** The operations with the number as their value, so that it shows whose write a document is. */
function numbered(operations: readonly Operation[], number: number): Operation[] {
  return operations.map(one => (one.type === 'put' ? { ...one, value: Buffer.from(String(number)) } : one));
}

function isDuplicate(err: unknown): void {
  if (!(err instanceof Error && 'code' in err && err.code === 11000)) throw err;
}
