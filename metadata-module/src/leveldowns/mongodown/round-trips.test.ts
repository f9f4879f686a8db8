/** How many commands calls take, by the driver's own monitoring. */
import assert from 'node:assert/strict';
import test, { type TestContext } from 'node:test';
import { sleep } from '@zenko-modules/common/deadline';
import { mongodbIsStandIn, mongodbMissing } from '@zenko-modules/common/testing/mongodb-server';
import type { CommandStartedEvent } from 'mongodb';
import { closeLevel, getValue, openLevel, readEntries, writeBatch } from '../level-calls.js';
import type { MongoDown } from './mongodown.js';
import { contents, newPlace, newStore, withStore } from './testing/databases.js';

const skip = mongodbMissing;
const TIMEOUT_MS = 60_000;
const put = (key: string, value = 'v') => ({ type: 'put', key, value }) as const;
const numbered = (index: number): string => `k${String(index).padStart(5, '0')}`;

interface Counted {
  readonly store: MongoDown;
  /** Commands since the last call. */
  readonly commands: () => Pick<CommandStartedEvent, 'commandName' | 'command'>[];
  /** Resolves when everything is applied: nothing is sent any more but signs of life. */
  readonly applied: () => Promise<void>;
}

async function counted(t: TestContext): Promise<Counted> {
  let seen: CommandStartedEvent[] = [];
  const underWay = new Set<number>();
  const store = newStore(await newPlace(t), {
    leaseMs: 60_000,
    // What is not answered in half of it is sent again, which would count.
    timeoutMs: TIMEOUT_MS,
    onClient: client => {
      client.on('commandStarted', event => {
        seen.push(event);
        underWay.add(event.requestId);
      });
      client.on('commandSucceeded', ({ requestId }) => underWay.delete(requestId));
      client.on('commandFailed', ({ requestId }) => underWay.delete(requestId));
    },
  });
  await openLevel(store);
  t.after(() => closeLevel(store));
  seen = [];
  const commands = (): CommandStartedEvent[] => {
    const found = seen;
    seen = [];
    return found;
  };
  const applied = async (): Promise<void> => {
    do await sleep(200);
    while (commands().length > 0 || underWay.size > 0);
  };
  return { store, commands, applied };
}

const isJournalWrite = ({
  commandName,
  command,
}: Pick<CommandStartedEvent, 'commandName' | 'command'>): boolean =>
  commandName === 'update' && String(command.update).endsWith('.journal');

test('a batch is acknowledged after one command, written to a majority and journaled', { skip }, async t => {
  const { store, commands, applied } = await counted(t);
  await applied();
  await writeBatch(store, [put('a'), put('b'), { type: 'del', key: 'c' }]);
  const [first, ...others] = commands();
  assert.ok(first && isJournalWrite(first));
  const { writeConcern } = first.command as { writeConcern: object };
  assert.deepEqual(writeConcern, { w: 'majority', wtimeout: TIMEOUT_MS, j: true });
  assert.ok(!others.some(isJournalWrite));
});

test(
  'batches that come at a time are written one after the other, in the order of the calls',
  { skip },
  async t => {
    let [underWay, most] = [0, 0];
    const isWrite = ({ commandName, command }: CommandStartedEvent): boolean =>
      isJournalWrite({ commandName, command });
    const writes = new Set<number>();
    const place = await newPlace(t);
    const store = newStore(place, {
      leaseMs: 60_000,
      timeoutMs: TIMEOUT_MS,
      onClient: client => {
        client.on('commandStarted', event => {
          if (!isWrite(event)) return;
          writes.add(event.requestId);
          underWay += 1;
          most = Math.max(most, underWay);
        });
        client.on('commandSucceeded', ({ requestId }) => {
          if (writes.delete(requestId)) underWay -= 1;
        });
      },
    });
    const acknowledged: number[] = [];
    await withStore(store, async () => {
      const batches = Array.from({ length: 100 }, (_, index) =>
        writeBatch(store, [put('a', String(index)), put(numbered(index))]).then(() =>
          acknowledged.push(index),
        ),
      );
      await Promise.all(batches);
      assert.equal((await getValue(store, 'a'))?.toString(), '99');
    });
    assert.deepEqual(
      acknowledged,
      Array.from({ length: 100 }, (_, index) => index),
    );
    assert.equal(most, 1);
    assert.equal(Object.keys(await withStore(newStore(place), contents)).length, 101);
  },
);

test(
  'a get takes one command, none of what was just written, and gets at a time share one',
  { skip },
  async t => {
    const { store, commands, applied } = await counted(t);
    await writeBatch(store, [put('a'), put('b')]);
    assert.equal((await getValue(store, 'a'))?.toString(), 'v');
    assert.ok(!commands().some(({ commandName }) => commandName === 'find'));
    await applied();
    assert.equal((await getValue(store, 'a'))?.toString(), 'v');
    assert.equal(await getValue(store, 'missing'), undefined);
    assert.deepEqual(
      commands().map(({ commandName }) => commandName),
      ['find', 'find'],
    );
    const values = await Promise.all(
      Array.from({ length: 50 }, (_, index) => getValue(store, index % 2 ? 'a' : 'b')),
    );
    assert.equal(values.length, 50);
    assert.deepEqual(
      commands().map(({ commandName }) => commandName),
      ['find'],
    );
  },
);

test(
  'gets that share a command are answered as far as its reply goes, and wait for one more',
  { skip: mongodbIsStandIn && 'the stand-in answers any number of bytes at once' },
  async t => {
    const { store, commands } = await counted(t);
    const large = Array.from(
      { length: 3 },
      (_, index) => [numbered(index), String(index).repeat(6 * 2 ** 20)] as const,
    );
    for (const [key, value] of large) await writeBatch(store, [put(key, value)]);
    // Applied in their order: once the last one is read from the server, all are.
    await writeBatch(store, [put('last')]);
    do {
      await sleep(20);
      await getValue(store, 'last');
    } while (!commands().some(({ commandName }) => commandName === 'find'));
    const all = [...large, ['missing', undefined] as const];
    const found = await Promise.all(all.map(async ([key]) => (await getValue(store, key))?.toString()));
    assert.ok(all.every(([, value], index) => found[index] === value));
    assert.deepEqual(
      commands().map(({ commandName }) => commandName),
      ['find', 'killCursors', 'find'],
    );
  },
);

test(
  'a page of 1000 keys takes three commands at most, and leaves no cursor when it hangs up',
  { skip },
  async t => {
    const { store, commands, applied } = await counted(t);
    await writeBatch(
      store,
      Array.from({ length: 1500 }, (_, index) => put(numbered(index), 'v'.repeat(300))),
    );
    await applied();
    for (const reverse of [false, true]) {
      let count = 0;
      for await (const { key } of readEntries(store, { gte: 'k', reverse })) {
        assert.equal(key.toString(), numbered(reverse ? 1499 - count : count));
        count += 1;
        if (count === 1000) break;
      }
      // On a busy machine it may still be applying; what reads is find, and more than find shows an open cursor.
      const sent = commands().filter(({ commandName }) => /find|getMore|killCursors/.test(commandName));
      assert.ok(sent.length <= 3, `${sent.length} commands`);
      // Every cursor is used up by its first reply: there is none to close.
      assert.ok(sent.every(({ commandName }) => commandName === 'find'));
      assert.ok(
        sent.every(({ command }) => [...(command.sort as Map<string, number>).keys()].join() === '_id'),
      );
    }
    for await (const entry of readEntries(store, { limit: 3 })) assert.ok(entry.key.length > 0);
    const finds = commands().filter(({ commandName }) => commandName === 'find');
    assert.deepEqual(
      finds.map(({ command }) => Number(command.limit)),
      [4],
    );
  },
);

test('every command finds its documents by _id, and every read names nothing else', { skip }, async t => {
  const seen: CommandStartedEvent[] = [];
  const store = newStore(await newPlace(t), {
    leaseMs: 60_000,
    onClient: client => client.on('commandStarted', event => seen.push(event)),
  });
  await openLevel(store);
  await writeBatch(store, [put('a'), put('b'), put('c')]);
  await writeBatch(store, [{ type: 'del', key: 'b' }]);
  await closeLevel(store);
  // Where nothing is in memory any more.
  await openLevel(store);
  await getValue(store, 'a');
  for await (const entry of readEntries(store, { gt: 'a', lte: 'c' })) assert.ok(entry.key.length > 0);
  await closeLevel(store);
  const names = new Set<string>();
  for (const { commandName, command } of seen) {
    if (commandName === 'endSessions') continue;
    names.add(commandName);
    if (commandName === 'find') {
      const fields = (filter: object): string[] =>
        Object.entries(filter).flatMap(([name, value]) =>
          name === '$or' ? (value as object[]).flatMap(fields) : [name],
        );
      assert.deepEqual([...new Set(fields(command.filter as object))], ['_id']);
    }
    const writes = [...((command.updates ?? []) as object[]), ...((command.deletes ?? []) as object[])];
    for (const { q } of writes as { q: object }[]) assert.ok('_id' in q, JSON.stringify(q));
  }
  const expected = ['delete', 'find', 'insert', 'listCollections', 'update'];
  assert.deepEqual([...names].sort(), expected);
});
