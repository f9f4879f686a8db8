/**
 * mongodown beside the bare driver, through a proxy that adds a millisecond each way, as a server in the same
 * data centre does: `node bench/dist/mongodown.js [seconds for each line]`. The server is that of the tests:
 * MONGODB_TEST_URL, mongod in PATH, or the stand-in, whose range reads are slow; compare lines, not machines.
 */
import { randomUUID } from 'node:crypto';
import { sleep } from '@zenko-modules/common/deadline';
import { startMongodb } from '@zenko-modules/common/testing/mongodb-server';
import {
  getValue,
  openLevel,
  closeLevel,
  readEntries,
  writeBatch,
} from '@zenko-modules/metadata-module/leveldowns/level-calls';
import { MongoDown } from '@zenko-modules/metadata-module/leveldowns/mongodown/index';
import { MongoClient, type Collection } from 'mongodb';
import { startDelay } from './delay-proxy.js';
import { Teardown } from './measure.js';

const KEYS = 1000;
const value = Buffer.alloc(500, 'value ');
const keyOf = (number: number): string => `!bucket!object-${String(number % KEYS).padStart(6, '0')}`;

interface Plain {
  readonly _id: string;
  readonly v: Buffer;
}

/**
 * Calls `work` with 0, 1, 2, ..., `atOnce` at a time, for `seconds`, and prints the rate and the median time
 * of a call.
 */
async function rate(
  name: string,
  atOnce: number,
  seconds: number,
  work: (number: number) => Promise<unknown>,
): Promise<void> {
  const times: number[] = [];
  const began = performance.now();
  let next = 0;
  const worker = async (): Promise<void> => {
    while (performance.now() - began < seconds * 1000) {
      const started = performance.now();
      await work(next++);
      times.push(performance.now() - started);
    }
  };
  await Promise.all(Array.from({ length: atOnce }, worker));
  const perSecond = times.length / ((performance.now() - began) / 1000);
  const median = times.sort((a, b) => a - b)[Math.floor(times.length / 2)] ?? 0;
  console.log(
    `${name.padEnd(44)}${String(atOnce).padStart(8)}${perSecond.toFixed(0).padStart(10)}${median.toFixed(2).padStart(11)}`,
  );
}

async function run(teardown: Teardown, seconds: number): Promise<void> {
  const url = await startDelay(teardown, await startMongodb(teardown));
  const database = `bench-${randomUUID()}`;
  const commands = { count: 0 };
  const store = new MongoDown({
    url,
    database,
    collection: 'metadata',
    onClient: client => client.on('commandStarted', () => (commands.count += 1)),
  });
  const client = new MongoClient(url, { retryWrites: false, writeConcern: { w: 'majority', journal: true } });
  teardown.after(() => client.close());
  const plain: Collection<Plain> = client.db(database).collection<Plain>('plain');
  const several: Collection<Plain> = client.db(database).collection<Plain>('several');
  await openLevel(store);
  teardown.after(() => closeLevel(store));

  const put = (number: number) => ({ type: 'put', key: keyOf(number), value }) as const;
  const log = (number: number) =>
    ({ type: 'put', key: `!log!${String(number % 500).padStart(6, '0')}`, value }) as const;
  console.log('                                            at once  per second  median ms');
  for (const atOnce of [1, 32]) {
    await rate('driver: insertOne, majority and journaled', atOnce, seconds, () =>
      plain.insertOne({ _id: randomUUID(), v: value }),
    );
    await rate('driver: bulkWrite of 3 puts, not atomic', atOnce, seconds, number =>
      several.bulkWrite(
        [put(number), put(number + 1), log(number)].map(({ key, value: v }) => ({
          updateOne: { filter: { _id: key }, update: { $set: { v } }, upsert: true },
        })),
      ),
    );
    const before = commands.count;
    let batches = 0;
    await rate('mongodown: batch of 3 puts', atOnce, seconds, number => {
      batches += 1;
      return writeBatch(store, [put(number), put(number + 1), log(number)]);
    });
    console.log(
      `    ${((commands.count - before) / batches).toFixed(2)} commands a batch, applying and cleaning up included`,
    );
  }
  await plain.deleteMany({});
  await plain.insertMany(Array.from({ length: KEYS }, (_, number) => ({ _id: keyOf(number), v: value })));
  // Fills the store, and lets all be applied.
  await writeBatch(
    store,
    Array.from({ length: KEYS }, (_, number) => put(number)),
  );
  const journal = client.db(database).collection('metadata.journal');
  while ((await journal.countDocuments()) > 0) await sleep(100);
  for (const atOnce of [1, 32]) {
    await rate('driver: findOne by _id', atOnce, seconds, number =>
      plain.findOne({ _id: keyOf(number * 7) }),
    );
    await rate('mongodown: get', atOnce, seconds, number => getValue(store, keyOf(number * 7)));
  }
  const range = { gte: '!bucket!', lt: '!bucket"' };
  await rate('driver: find 1000, sorted', 1, seconds, () =>
    plain.find({ _id: { $gte: range.gte, $lt: range.lt } }, { sort: { _id: 1 } }).toArray(),
  );
  const before = commands.count;
  let pages = 0;
  await rate('mongodown: page of 1000', 1, seconds, async () => {
    pages += 1;
    let entries = 0;
    for await (const entry of readEntries(store, range)) entries += Number(entry.key.length > 0);
    if (entries !== KEYS) throw new Error(`a page of ${entries} keys`);
  });
  console.log(`    ${((commands.count - before) / pages).toFixed(2)} commands a page`);
}

const teardown = new Teardown();
try {
  await run(teardown, Number(process.argv[2] ?? 3));
} finally {
  await teardown.run();
}
