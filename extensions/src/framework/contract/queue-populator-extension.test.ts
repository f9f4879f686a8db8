import assert from 'node:assert/strict';
import test from 'node:test';
import { silentLogger } from '@zenko-modules/common/logger';
import {
  type LogEntry,
  parseEntry,
  QueuePopulatorExtension,
  runFilter,
} from './queue-populator-extension.js';

const context = { config: { topic: 't' }, logger: silentLogger() };
const entry = (key: string): LogEntry => ({ type: 'put', bucket: 'b', key, value: '{}', timestamp: '' });
const pause = (ms: number): Promise<void> => new Promise(resolve => setTimeout(resolve, ms));

test('a filter publishes at once, and its key is encoded', async () => {
  class Own extends QueuePopulatorExtension {
    #seen = 0;
    filter({ key }: LogEntry): void {
      this.#seen++;
      this.publish('t', `b/${key}`, `message ${this.#seen}`);
    }
  }
  const own = new Own(context);
  assert.deepEqual(await runFilter(own, entry('a b')), [
    { topic: 't', key: 'b%2Fa%20b', value: 'message 1' },
  ]);
  assert.deepEqual(await runFilter(own, entry('c')), [{ topic: 't', key: 'b%2Fc', value: 'message 2' }]);
});

test('what filters publish after waiting belongs to their own entries, also side by side', async () => {
  class Own extends QueuePopulatorExtension {
    async filterAsync({ key }: LogEntry): Promise<void> {
      await pause(Number(key) % 3);
      this.publish('t', key, key);
      await pause(1);
      this.publish('t', key, key);
    }
  }
  const own = new Own(context);
  const keys = Array.from({ length: 20 }, (_, i) => String(i));
  const found = await Promise.all(keys.map(key => runFilter(own, entry(key))));
  assert.deepEqual(
    found.map(list => list.map(({ value }) => value)),
    keys.map(key => [key, key]),
  );
});

test('a filter without "Async" in its name may return a promise all the same', async () => {
  class Late extends QueuePopulatorExtension {
    async filter({ key }: LogEntry): Promise<void> {
      this.publish('topic', key, 'at once');
      await pause(5);
      this.publish('topic', key, 'later');
    }
  }
  const extension = new Late(context);
  const found = await Promise.all(['a', 'b'].map(key => runFilter(extension, entry(key))));
  assert.deepEqual(
    found.map(list => list.map(({ key, value }) => `${key} ${value}`)),
    [
      ['a at once', 'a later'],
      ['b at once', 'b later'],
    ],
  );
});

test('one that returns a promise now and then publishes what belongs to each entry', async () => {
  class NowAndThen extends QueuePopulatorExtension {
    filter({ key }: LogEntry): Promise<void> | undefined {
      this.publish('topic', key, 'at once');
      return key === 'late' ? pause(5).then(() => this.publish('topic', key, 'later')) : undefined;
    }
  }
  const extension = new NowAndThen(context);
  const found = await Promise.all(['a', 'late', 'b', 'late'].map(key => runFilter(extension, entry(key))));
  assert.deepEqual(
    found.map(list => list.map(({ key, value }) => `${key} ${value}`)),
    [['a at once'], ['late at once', 'late later'], ['b at once'], ['late at once', 'late later']],
  );
});

test('a filter with a callback, as in Backbeat, works too', async () => {
  class Own extends QueuePopulatorExtension {
    filterAsync({ key }: LogEntry, callback: (err?: Error) => void): void {
      setTimeout(() => {
        this.publish('t', key, 'x');
        callback(key === 'bad' ? new Error('refused') : undefined);
      }, 1);
    }
  }
  const own = new Own(context);
  assert.equal((await runFilter(own, entry('good'))).length, 1);
  await assert.rejects(runFilter(own, entry('bad')), /refused/);
});

test('publish outside of a filter, or after it has ended, is refused', async () => {
  class Own extends QueuePopulatorExtension {
    late: Promise<unknown> = Promise.resolve();
    filter(): void {
      this.late = pause(5).then(() => this.publish('t', 'k', 'late'));
      this.late.catch(() => undefined);
    }
  }
  const own = new Own(context);
  assert.throws(() => own.publish('t', 'k', 'v'), /no entry was being filtered/);
  assert.deepEqual(await runFilter(own, entry('a')), []);
  await assert.rejects(own.late, /no entry was being filtered/);
});

test('a message that is no entry is refused for good', () => {
  for (const text of [
    '',
    '{',
    'null',
    '{}',
    '{"type":"put","bucket":"b"}',
    '{"type":"x","bucket":"b","key":"k"}',
  ]) {
    assert.throws(() => parseEntry(text), { name: 'PermanentError' });
  }
  assert.equal(parseEntry('{"type":"put","bucket":"b","key":"k","value":"{}"}').key, 'k');
});
