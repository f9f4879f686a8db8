/**
 * What deleted keys leave in a mongodown store: `node bench/dist/deleted-keys.js [keys] [minutes] [keys of a batch]`. Keys are put
 * and deleted in batches of up to 10,000; then the documents that are left are counted, and a page of the
 * emptied range is read beside one of a range that never held a key. The server is that of the tests.
 *
 * The longest batches need more patience than the default, and the stand-in of the tests looks at all its
 * documents for each range: with it, only the counts say something, and not the times.
 */
import { randomUUID } from 'node:crypto';
import { sleep } from '@zenko-modules/common/deadline';
import { startMongodb } from '@zenko-modules/common/testing/mongodb-server';
import {
  closeLevel,
  openLevel,
  readEntries,
  writeBatch,
} from '@zenko-modules/metadata-module/leveldowns/level-calls';
import { MongoDown } from '@zenko-modules/metadata-module/leveldowns/mongodown/index';
import { MongoClient } from 'mongodb';
import { Teardown } from './measure.js';

const value = Buffer.alloc(20, 'v');
const keyOf = (number: number): string => `!bucket!${String(number).padStart(9, '0')}`;

async function run(teardown: Teardown, keys: number, minutes: number, batch: number): Promise<void> {
  const url = await startMongodb(teardown);
  const database = `bench-${randomUUID()}`;
  const commands = { count: 0 };
  const store = new MongoDown({
    url,
    database,
    collection: 'metadata',
    timeoutMs: 600_000,
    leaseMs: 1_200_000,
    onClient: client => client.on('commandStarted', () => (commands.count += 1)),
  });
  const client = new MongoClient(url);
  teardown.after(() => client.close());
  await openLevel(store);
  teardown.after(() => closeLevel(store));
  const collections = ['metadata', 'metadata.journal', 'metadata.state'];
  const count = async (): Promise<string> => {
    const db = client.db(database);
    const counts = await Promise.all(collections.map(name => db.collection(name).countDocuments()));
    return collections.map((name, index) => `${name} ${counts[index] ?? 0}`).join(', ');
  };
  /** Resolves when all that is in the journal is in the data, too. */
  const applied = async (): Promise<void> => {
    for (;;) {
      const [newest] = await client
        .db(database)
        .collection('metadata.journal')
        .find()
        .sort({ n: -1 })
        .toArray();
      const marker = await client
        .db(database)
        .collection<{ _id: string; applied?: number }>('metadata')
        .findOne({ _id: '' });
      if (Number(marker?.applied) >= Number(newest?.['n'])) return;
      await sleep(200);
    }
  };
  console.log(`empty: ${await count()}`);

  const deadline = performance.now() + minutes * 60_000;
  const began = performance.now();
  let done = 0;
  for (; done < keys && performance.now() < deadline; done += batch) {
    const numbers = Array.from({ length: Math.min(batch, keys - done) }, (_, index) => done + index);
    await writeBatch(
      store,
      numbers.map(number => ({ type: 'put', key: keyOf(number), value })),
    );
    await writeBatch(
      store,
      numbers.map(number => ({ type: 'del', key: keyOf(number) })),
    );
  }
  const seconds = (performance.now() - began) / 1000;
  console.log(`${Math.min(done, keys)} keys put and deleted in ${seconds.toFixed(0)} s`);
  await applied();
  console.log(`after it: ${await count()}`);

  const ranges = {
    'the emptied range': { gte: '!bucket!', lt: '!bucket"' },
    'one that never held a key': { gte: '!other!', lt: '!other"' },
  };
  for (let round = 0; round < 2; round += 1) {
    for (const [name, range] of Object.entries(ranges)) {
      const before = commands.count;
      const started = performance.now();
      let entries = 0;
      for await (const entry of readEntries(store, range)) entries += Number(entry.key.length > 0);
      const ms = performance.now() - started;
      console.log(`${name}: ${entries} entries, ${commands.count - before} commands, ${ms.toFixed(1)} ms`);
    }
  }
}

const teardown = new Teardown();
try {
  await run(
    teardown,
    Number(process.argv[2] ?? 1_000_000),
    Number(process.argv[3] ?? 10),
    Number(process.argv[4] ?? 10_000),
  );
} finally {
  await teardown.run();
}
