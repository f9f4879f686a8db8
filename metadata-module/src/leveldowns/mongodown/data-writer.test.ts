/** What a former owner still sends, any part of it at any time, does no harm: the statements against a server. */
import assert from 'node:assert/strict';
import test from 'node:test';
import { mongodbMissing } from '@zenko-modules/common/testing/mongodb-server';
import fc from 'fast-check';
import { propertyOptions } from '../../testing/seed.js';
import { lastOf, portionsOf, statementsOf } from './data-writer.js';
import { LOWER_MARKER, UPPER_MARKER, type Layout } from './documents.js';
import type { JournalOperation } from './journal-entry.js';
import { newPlace, withLayout } from './testing/databases.js';

const STORE = 'the store';
const KEYS = ['a', 'b', 'c'];
const key = fc.constantFrom(...KEYS);
const operation: fc.Arbitrary<JournalOperation> = fc.oneof(
  fc.record({ type: fc.constant('put' as const), key, value: fc.constant(Buffer.from('v')) }),
  fc.record({ type: fc.constant('del' as const), key }),
);
const entries = fc.array(fc.array(operation, { minLength: 1, maxLength: 3 }), { minLength: 1, maxLength: 4 });

/** One statement; false when it failed, and with it ends its command. */
type Statement = () => Promise<boolean>;
/** Deletes each for itself, and updates of which one that fails ends the rest. */
interface Command {
  readonly deletes: Statement[];
  readonly updates: Statement[];
}

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
          const some = (): number => (moments.next().value ?? 0) % 3;
          const marker = { epoch: 1, applied: 0, store: STORE, turn: 0 };
          await data.deleteMany({});
          await data.insertMany([LOWER_MARKER, UPPER_MARKER].map(_id => ({ _id, ...marker })));
          const journal = [...before, ...after].map((operations, index) => numbered(operations, index + 1));
          /** The entries behind `from` as commands of an epoch, each of one entry or some, perhaps in portions. */
          const commandsOf = (
            from: number,
            to: number,
            first: { epoch: number; turn: number },
          ): Command[] => {
            const commands: Command[] = [];
            let { turn } = first;
            for (let at = from, end; at < to; at = end) {
              end = Math.min(to, at + 1 + some());
              const portions = portionsOf(journal.slice(at, end).flat(), {
                keys: 1 + some(),
                bytes: Infinity,
              });
              for (const [index, portion] of portions.entries()) {
                const applied = index === portions.length - 1 ? end : undefined;
                const statements = statementsOf(lastOf(portion), applied, {
                  ...first,
                  store: STORE,
                  turn: ++turn,
                });
                commands.push(commandOf(data, statements));
              }
            }
            return commands;
          };

          // The former owner's: some are carried out, and one is sent, of which any part arrives at any time.
          const former = commandsOf(0, before.length, { epoch: 1, turn: 0 });
          for (const command of former.splice(0, some())) await carryOut(command);
          const late: Statement[] = [];
          const begun = former.shift();
          if (begun !== undefined) {
            late.push(...begun.deletes);
            late.push(...begun.updates);
          }

          // Its successor's: what the journal has and the data does not, then its own.
          await data.updateMany({ _id: { $in: [LOWER_MARKER, UPPER_MARKER] } }, { $set: { epoch: 2 } });
          const found = await data.findOne({ _id: LOWER_MARKER });
          const { applied = 0, turn = 0 } = found ?? {};
          const doubted = turn + 1;
          const lateNow = async (count: number): Promise<void> => {
            for (const one of late.splice(0, count)) await one();
          };
          for (const { deletes, updates } of commandsOf(applied, journal.length, {
            epoch: 2,
            turn: doubted,
          })) {
            for (const one of [...deletes, ...updates]) {
              await lateNow(some());
              assert.equal(await one(), true);
            }
          }
          await lateNow(late.length);

          const model = new Map<string, string>();
          [...before, ...after].forEach((operations, index) => {
            for (const { type, key: id } of operations) {
              if (type === 'put') model.set(id, String(index + 1));
              else model.delete(id);
            }
          });
          const documents = await data.find({ _id: { $in: KEYS } }, { sort: { _id: 1 } }).toArray();
          const visible = documents.filter(({ n }) => n !== doubted);
          assert.deepEqual(
            visible.map(({ _id, v }) => [_id, v?.toString()]),
            [...model].sort(),
          );
          const markers = await data.find({ _id: { $in: [LOWER_MARKER, UPPER_MARKER] } }).toArray();
          for (const one of markers) assert.equal(one.applied, journal.length);
        },
      );
      await fc.assert(property, propertyOptions(t, 60));
    });
  },
);

function commandOf(data: Layout['data'], { deletes, updates }: ReturnType<typeof statementsOf>): Command {
  return {
    deletes: deletes.map(
      ({ q }) =>
        async () =>
          (await data.deleteOne(q)).acknowledged,
    ),
    updates: updates.map(({ q, u, upsert }) => async () => {
      try {
        const { matchedCount, upsertedCount } = await data.updateOne(q, u, { upsert });
        return matchedCount + upsertedCount === 1;
      } catch (err) {
        if (err instanceof Error && 'code' in err && err.code === 11000) return false;
        throw err;
      }
    }),
  };
}

async function carryOut({ deletes, updates }: Command): Promise<boolean> {
  for (const one of deletes) await one();
  for (const one of updates) if (!(await one())) return false;
  return true;
}

/** The operations with the number as their value, so that it shows whose write a document is. */
function numbered(operations: readonly JournalOperation[], number: number): JournalOperation[] {
  return operations.map(one => (one.type === 'put' ? { ...one, value: Buffer.from(String(number)) } : one));
}
