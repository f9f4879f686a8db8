/** Faults on the wire: whatever happens to whichever command, what was acknowledged is there, once. */
import assert from 'node:assert/strict';
import test, { type TestContext } from 'node:test';
import { sleep } from '@zenko-modules/common/deadline';
import { mongodbMissing } from '@zenko-modules/common/testing/mongodb-server';
import { seededRandom } from '@zenko-modules/common/testing/random';
import { getValue, writeBatch } from '../level-calls.js';
import { LEVEL_ERRORS } from '../plugin.js';
import type { MongoDown } from './mongodown.js';
import { checkState, writeBatches } from './testing/numbered-batches.js';
import { contents, newPlace, newStore, withStore, type Place } from './testing/databases.js';
import {
  arm,
  isJournalWrite,
  on,
  startWireProxy,
  type Verdict,
  type WireCommand,
  type WireProxy,
} from './testing/wire-proxy.js';

const skip = mongodbMissing;

const refused = (code: number, codeName: string): Verdict => ({
  answer: { ok: 0, code, codeName, errmsg: codeName, errorLabels: ['RetryableWriteError'] },
});
const interrupted = {
  ok: 0,
  code: 11602,
  codeName: 'InterruptedDueToReplStateChange',
  errmsg: 'stepped down',
};
const timedOut = { code: 64, codeName: 'WriteConcernTimeout', errmsg: 'waiting for replication timed out' };

const FAULTS: Readonly<Record<string, Verdict>> = {
  'a cut before the server sees it': 'cut-before',
  'a cut after the server carried it out': 'cut-after',
  'silence, nothing done': 'mute-before',
  'silence, all done': 'mute-after',
  NotWritablePrimary: refused(10107, 'NotWritablePrimary'),
  'InterruptedDueToReplStateChange, nothing done': { answer: interrupted },
  'InterruptedDueToReplStateChange, all done': { change: () => interrupted },
  'WriteConcernError 64': { change: answer => ({ ...answer, writeConcernError: timedOut }) },
};

const COMMANDS: Readonly<Record<string, (command: WireCommand) => boolean>> = {
  'a write to the journal': isJournalWrite,
  'a sign of life': on('update', '.state'),
  'a read': on('find', 'metadata'),
};
/** Commands for which no call waits: in silence they wait for their connection to be given up. */
const IN_BACKGROUND: typeof COMMANDS = {
  'an update of the data': on('update', 'metadata'),
  'a delete in the data': on('delete', 'metadata'),
};
const SHORT_SILENCE = { socketTimeoutMs: 1000 };
const BATCHES = 48;
const BATCHES_OF_ENDS = 40;

/** Writes batches, with signs of life and reads in between. */
async function workload(store: MongoDown): Promise<void> {
  for (let from = 0; from < BATCHES; from += 16) {
    assert.equal(await writeBatches(store, { from, last: from + 16 }, () => undefined), undefined);
    await store.ping();
    assert.equal((await getValue(store, 'count'))?.toString(), String(from + 16));
  }
}

async function proxied(t: TestContext): Promise<{ direct: Place; place: Place; proxy: WireProxy }> {
  const direct = await newPlace(t);
  const proxy = await startWireProxy(t, direct.url);
  return { direct, proxy, place: { ...direct, url: proxy.url } };
}

test('connections that end right behind an answer, again and again, fail no call', { skip }, async t => {
  const random = seededRandom(t);
  const { direct, place, proxy } = await proxied(t);
  let ends = 0;
  proxy.judge = () => {
    if (random.integer(0, 3) > 0) return 'pass';
    ends += 1;
    return 'end-after';
  };
  await withStore(newStore(place), async store => {
    let writing = true;
    const readers = [1, 2, 3, 4].map(async () => {
      while (writing) {
        await getValue(store, 'count');
        await contents(store);
        await store.ping();
      }
    });
    try {
      await Promise.race([writeAll(store), ...readers]);
    } finally {
      writing = false;
    }
    await Promise.all(readers);
    proxy.judge = () => 'pass';
    checkState(await contents(store), BATCHES_OF_ENDS);
  });
  checkState(await withStore(newStore(direct), contents), BATCHES_OF_ENDS);
  t.diagnostic(`${ends} connections ended`);
});

/** Writes batches one at a time: each may find its connection ended. */
async function writeAll(store: MongoDown): Promise<void> {
  const failure = await writeBatches(store, { from: 0, last: BATCHES_OF_ENDS, atOnce: 1 }, () => undefined);
  assert.equal(failure, undefined);
}

for (const [command, at] of Object.entries({ ...COMMANDS, ...IN_BACKGROUND })) {
  const options = command in IN_BACKGROUND ? SHORT_SILENCE : {};
  test(`${command} may meet any fault: nothing is lost, nothing comes back`, { skip }, async t => {
    for (const [fault, verdict] of Object.entries(FAULTS)) {
      await t.test(fault, async t => {
        const { direct, place, proxy } = await proxied(t);
        const hit = arm(proxy, { at, verdict });
        await withStore(newStore(place, options), async store => {
          await workload(store);
          checkState(await contents(store), BATCHES);
        });
        assert.ok(hit(), 'the proxy struck');
        checkState(await withStore(newStore(direct), contents), BATCHES);
      });
    }
  });
}

test('look-ups that get no answer do not keep others from asking', { skip }, async t => {
  const { place, proxy } = await proxied(t);
  await withStore(newStore(place), async store => {
    // As many as may be under way at a time.
    const unanswered = Array.from({ length: 8 }, (_, index) => `unanswered${index}`);
    const others = Array.from({ length: 12 }, (_, index) => `other${index}`);
    // Each is asked for in a command of its own, and gets no answer the first time.
    const muted = new Set<string>();
    proxy.judge = command => {
      const filter = JSON.stringify(command.body.filter);
      if (!COMMANDS['a read']?.(command) || muted.size === unanswered.length || muted.has(filter))
        return 'pass';
      muted.add(filter);
      return 'mute-before';
    };
    const values: Promise<Buffer | undefined>[] = [];
    for (const [index, key] of unanswered.entries()) {
      values.push(getValue(store, key));
      while (muted.size <= index) await sleep(1);
    }
    values.push(...others.map(key => getValue(store, key)));
    assert.deepEqual(
      await Promise.all(values),
      values.map(() => undefined),
    );
  });
});

test('an open may meet any fault at any of its commands', { skip }, async t => {
  const { direct, place, proxy } = await proxied(t);
  await withStore(newStore(direct), workload);
  const commands = [
    ...[0, 1, 2, 3].map(index => ({ name: 'find', index })),
    ...[0, 1, 2, 3].map(index => ({ name: 'update', index })),
  ];
  const faults = [
    'a cut before the server sees it',
    'a cut after the server carried it out',
    'silence, all done',
  ];
  for (const fault of faults) {
    for (const { name, index } of commands) {
      const hit = arm(proxy, {
        at: command => command.name === name,
        verdict: FAULTS[fault] ?? 'pass',
        skip: index,
      });
      const found = await withStore(newStore(place, SHORT_SILENCE), contents);
      assert.ok(hit(), `${name} ${index}`);
      assert.equal(checkState(found, BATCHES), BATCHES, `${fault} at ${name} ${index}`);
    }
  }
});

test('a batch whose time is up does not happen, whatever the server had made of it', { skip }, async t => {
  const faults: Readonly<Record<string, Verdict>> = { refused: 'cut-before', unanswered: 'cut-after' };
  for (const [name, verdict] of Object.entries(faults)) {
    await t.test(name, async t => {
      const { direct, place, proxy } = await proxied(t);
      const store = newStore(place, { timeoutMs: 1500, leaseMs: 5000 });
      await withStore(store, async () => {
        await writeBatch(store, [{ type: 'put', key: 'a', value: 'before' }]);
        proxy.judge = command => (command.target.includes('.journal') ? verdict : 'pass');
        const failing = writeBatch(store, [{ type: 'put', key: 'a', value: 'failed' }]);
        await assert.rejects(failing, { code: LEVEL_ERRORS.unavailable });
        assert.equal((await getValue(store, 'a'))?.toString(), 'before');
        proxy.judge = () => 'pass';
        await writeBatch(store, [{ type: 'put', key: 'b', value: 'after' }]);
        assert.deepEqual(await contents(store), { a: 'before', b: 'after' });
      });
      assert.deepEqual(await withStore(newStore(direct), contents), { a: 'before', b: 'after' });
    });
  }
});
