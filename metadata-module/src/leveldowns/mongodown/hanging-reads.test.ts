/** A read whose answer takes so long that the overlay does not wait for it any more. */
import assert from 'node:assert/strict';
import test from 'node:test';
import { sleep, withDeadline } from '@zenko-modules/common/deadline';
import { mongodbMissing } from '@zenko-modules/common/testing/mongodb-server';
import { closeLevel, getValue, openLevel, writeBatch } from '../level-calls.js';
import { contents, newPlace, newStore } from './testing/databases.js';
import { startWireProxy } from './testing/wire-proxy.js';

const BATCHES = 25;
const OPERATIONS = 1000;
const READS = {
  'a look-up': store => getValue(store, 'last').then(String),
  'a page': store => contents(store).then(({ last }) => last),
} satisfies Record<string, (store: ReturnType<typeof newStore>) => Promise<string | undefined>>;

for (const [what, read] of Object.entries(READS)) {
  test(
    `${what} that hangs while much is written begins again, and sees all of it`,
    { skip: mongodbMissing },
    async t => {
      const place = await newPlace(t);
      const proxy = await startWireProxy(t, place.url);
      const store = newStore({ ...place, url: proxy.url }, { leaseMs: 60_000, timeoutMs: 60_000 });
      await openLevel(store);
      let answer: (value?: unknown) => void = () => undefined;
      const held = new Promise(resolve => (answer = resolve));
      let finds = 0;
      proxy.judge = ({ name, target }) =>
        name === 'find' && target === 'metadata' && ++finds === 1 ? { holdAnswer: held } : 'pass';
      const reading = read(store);
      while (finds === 0) await sleep(5);
      for (let number = 1; number <= BATCHES; number += 1) {
        // All on one key: the overlay keeps what was written, the data is written once.
        const put = { type: 'put', key: 'last', value: String(number) } as const;
        const puts = Array.from({ length: OPERATIONS }, () => put);
        await writeBatch(store, puts);
      }
      // Applied after all these: once it is read from the server, the owner knows that they are.
      await writeBatch(store, [{ type: 'put', key: 'after', value: 'all' }]);
      const applied = async (): Promise<void> => {
        while (finds === 1) await getValue(store, 'after').then(() => sleep(20));
      };
      await withDeadline(applied(), 60_000, 'applying');
      const before = finds;
      answer();
      assert.equal(await reading, String(BATCHES));
      assert.ok(finds > before, `${finds} commands`);
      await closeLevel(store);
    },
  );
}
