/**
 * What every transport of the queue must keep, as tests. Call it with a factory of queues that all reach
 * the same place, each as another process would:
 *
 *     queueContract('my transport', { open: async t => new MyQueue(…) });
 */
import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import test, { type TestContext } from 'node:test';
import { sleep } from '@zenko-modules/common/deadline';
import { messageOf } from '@zenko-modules/common/errors';
import { redrive } from '../processor/redrive.js';
import { failedTopicOf, type Message, type Queue, QueueError, type ReceivedMessage } from '../queue/queue.js';

export interface QueueContractOptions {
  /** A queue of the test's own connection; the suite closes it. */
  readonly open: (t: TestContext) => Promise<Queue>;
  /** As node:test takes it. */
  readonly skip?: string | false;
}

const WAIT_MS = 60_000;

/** Polls until `check` holds. */
export async function eventually(check: () => boolean | Promise<boolean>, what: string): Promise<void> {
  const deadline = Date.now() + WAIT_MS;
  while (!(await check())) {
    assert.ok(Date.now() < deadline, `waited in vain until ${what}`);
    await sleep(20);
  }
}

export function queueContract(name: string, { open, skip = false }: QueueContractOptions): void {
  const given = (
    title: string,
    body: (t: TestContext, queue: Queue, topic: string) => Promise<void>,
  ): void => {
    test(`${name}: ${title}`, { skip, timeout: 2 * WAIT_MS }, async t => {
      const queue = await open(t);
      t.after(() => queue.close());
      await body(t, queue, `contract-${randomUUID()}`);
    });
  };
  const numbered = (count: number, keys: number): Message[] =>
    Array.from({ length: count }, (_, i) => ({ key: `k${i % keys}`, value: String(i) }));

  given('what was published is delivered with key, value and headers', async (_t, queue, topic) => {
    const received: ReceivedMessage[] = [];
    const before = Date.now();
    await queue.publish(topic, [
      { key: 'a%2Fb', value: '{"x":"é\\n \u{1F600}"}', headers: { attempts: '3' } },
      { key: '', value: '' },
    ]);
    await queue.consume({
      topic,
      group: 'g',
      concurrency: 1,
      handle: async message => void received.push(await Promise.resolve(message)),
    });
    await eventually(() => received.length === 2, 'both messages came');
    const [first] = received.filter(message => message.key !== '');
    assert.ok(first);
    assert.equal(first.key, 'a%2Fb');
    assert.equal(first.value, '{"x":"é\\n \u{1F600}"}');
    assert.deepEqual({ ...first.headers }, { attempts: '3' });
    assert.equal(first.topic, topic);
    assert.ok(first.timestamp >= before - 1000 && first.timestamp <= Date.now() + 1000);
    assert.deepEqual(
      received.filter(message => message.key === '').map(message => message.value),
      [''],
    );
  });

  given('messages of one key come in order, one at a time, others beside them', async (_t, queue, topic) => {
    const seen = new Map<string, number[]>();
    const busy = new Set<string>();
    let atOnce = 0;
    let most = 0;
    for (let i = 0; i < 400; i += 50) await queue.publish(topic, numbered(400, 7).slice(i, i + 50));
    await queue.consume({
      topic,
      group: 'g',
      concurrency: 4,
      handle: async message => {
        assert.ok(!busy.has(message.key), `two messages of ${message.key} at once`);
        busy.add(message.key);
        most = Math.max(most, ++atOnce);
        await sleep(Math.random() * 4);
        atOnce--;
        busy.delete(message.key);
        seen.set(message.key, [...(seen.get(message.key) ?? []), Number(message.value)]);
      },
    });
    await eventually(() => [...seen.values()].flat().length === 400, 'all came');
    for (const [key, values] of seen)
      assert.deepEqual(
        values,
        [...values].sort((a, b) => a - b),
        key,
      );
    assert.ok(most > 1 && most <= 4, `at once: ${most}`);
  });

  given('each group gets every message, and a late group the old ones', async (_t, queue, topic) => {
    const counts: Record<string, number> = {};
    const join = (group: string): Promise<unknown> =>
      queue.consume({
        topic,
        group,
        concurrency: 2,
        handle: () => Promise.resolve(void (counts[group] = (counts[group] ?? 0) + 1)),
      });
    await join('one');
    await queue.publish(topic, numbered(20, 5));
    await eventually(() => counts.one === 20, 'the first group has all');
    await join('two');
    await eventually(() => counts.two === 20, 'the late group has all');
    assert.equal(counts.one, 20);
  });

  given('a restart goes on from what was done', async (t, queue, topic) => {
    const done: string[] = [];
    await queue.publish(topic, numbered(30, 3));
    const first = await queue.consume({
      topic,
      group: 'g',
      concurrency: 3,
      handle: message => Promise.resolve(void done.push(message.value)),
    });
    await eventually(() => done.length === 30, 'the first thirty are done');
    await first.close();
    await first.close();
    assert.ok((await queue.progress(topic, 'g')).every(partition => partition.finished));
    await queue.publish(topic, [{ key: 'k0', value: 'later' }]);
    assert.ok((await queue.progress(topic, 'g')).some(partition => !partition.finished));
    const other = await open(t);
    t.after(() => other.close());
    await other.consume({
      topic,
      group: 'g',
      concurrency: 3,
      handle: message => Promise.resolve(void done.push(message.value)),
    });
    await eventually(() => done.includes('later'), 'the later one came');
    assert.equal(done.length, 31);
  });

  given(
    'what was not done when a consumer left comes again, with all that follows it',
    async (_t, queue, topic) => {
      await queue.publish(topic, numbered(10, 1));
      const done: string[] = [];
      const stuck = { entered: false };
      const first = await queue.consume({
        topic,
        group: 'g',
        concurrency: 2,
        handle: async (message, signal) => {
          if (message.value === '5') {
            stuck.entered = true;
            await new Promise((_resolve, reject) => {
              signal.addEventListener('abort', () => reject(new Error('left')), { once: true });
            });
          }
          done.push(message.value);
        },
      });
      await eventually(() => stuck.entered, 'the sixth message is being handled');
      await first.close();
      assert.deepEqual(done, ['0', '1', '2', '3', '4']);
      await queue.consume({
        topic,
        group: 'g',
        concurrency: 2,
        handle: message => Promise.resolve(void done.push(message.value)),
      });
      await eventually(() => done.includes('9'), 'the rest came');
      assert.deepEqual(done.map(Number), [0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
    },
  );

  given('a message whose handling is refused comes again, in order', async (_t, queue, topic) => {
    await queue.publish(topic, numbered(6, 1));
    const tries: string[] = [];
    await queue.consume({
      topic,
      group: 'g',
      concurrency: 2,
      handle: async message => {
        tries.push(message.value);
        await Promise.resolve();
        if (message.value === '2' && tries.filter(value => value === '2').length < 3) throw new Error('no');
      },
    });
    await eventually(() => tries.includes('5'), 'the last came');
    assert.equal(tries.filter(value => value === '2').length, 3);
    assert.ok(tries.indexOf('3') > tries.lastIndexOf('2'));
  });

  given('pause stops the hand-out and resume goes on', async (_t, queue, topic) => {
    const got: string[] = [];
    const consumer = await queue.consume({
      topic,
      group: 'g',
      concurrency: 1,
      handle: message => Promise.resolve(void got.push(message.value)),
    });
    await queue.publish(topic, [{ key: 'k', value: 'before' }]);
    await eventually(() => got.length === 1, 'the first came');
    consumer.pause();
    await sleep(700);
    await queue.publish(topic, [{ key: 'k', value: 'while paused' }]);
    await sleep(1500);
    assert.deepEqual(got, ['before']);
    consumer.resume();
    await eventually(() => got.length === 2, 'the second came');
  });

  given('pause holds back what was read ahead, too', async (_t, queue, topic) => {
    await queue.publish(topic, numbered(60, 6));
    let handled = 0;
    const consumer = await queue.consume({
      topic,
      group: 'g',
      concurrency: 2,
      handle: async () => {
        if (++handled === 1) consumer.pause();
        await sleep(1);
      },
    });
    await eventually(() => handled > 0, 'the first came');
    await sleep(700);
    assert.ok(handled <= 2, `${handled} were handed out`);
    consumer.resume();
    await eventually(() => handled === 60, 'all came');
  });

  given('one at a time, the messages of a partition come in its order', async (_t, queue, topic) => {
    await queue.publish(topic, [...numbered(20, 1), ...numbered(40, 7)]);
    const got = new Map<number, string[]>();
    await queue.consume({
      topic,
      group: 'g',
      concurrency: 1,
      handle: ({ partition, offset }) =>
        Promise.resolve(void got.set(partition, [...(got.get(partition) ?? []), offset])),
    });
    await eventually(() => [...got.values()].flat().length === 60, 'all came');
    for (const offsets of got.values()) {
      assert.deepEqual(
        offsets,
        [...offsets].sort((a, b) => queue.compareOffsets(a, b)),
      );
    }
  });

  given('many that join a new group at once begin with its oldest message', async (t, queue, topic) => {
    await queue.publish(topic, numbered(20, 20));
    const done = new Set<string>();
    const members = await Promise.all(Array.from({ length: 8 }, () => open(t)));
    for (const member of members) t.after(() => member.close());
    await Promise.all(
      members.map(member =>
        member.consume({
          topic,
          group: 'g',
          concurrency: 2,
          handle: ({ value }) => Promise.resolve(void done.add(value)),
        }),
      ),
    );
    await eventually(() => done.size === 20, 'all came');
  });

  given('when a member of a group leaves, the other one goes on', async (t, queue, topic) => {
    const other = await open(t);
    t.after(() => other.close());
    const done = new Set<string>();
    const join = (member: Queue): ReturnType<Queue['consume']> =>
      member.consume({
        topic,
        group: 'g',
        concurrency: 2,
        handle: async message => {
          await sleep(5);
          done.add(message.value);
        },
      });
    const first = await join(queue);
    const second = await join(other);
    const all = numbered(200, 20);
    await queue.publish(topic, all.slice(0, 100));
    await eventually(() => done.size > 20, 'some are done');
    await first.close();
    await queue.publish(topic, all.slice(100));
    await eventually(() => done.size === 200, 'all are done');
    await second.close();
  });

  given('two processes publish to one topic and nothing is lost', async (t, queue, topic) => {
    const other = await open(t);
    t.after(() => other.close());
    const seen = new Map<string, number[]>();
    await queue.consume({
      topic,
      group: 'g',
      concurrency: 4,
      handle: message =>
        Promise.resolve(
          void seen.set(message.key, [...(seen.get(message.key) ?? []), Number(message.value)]),
        ),
    });
    const send = async (from: Queue, key: string): Promise<void> => {
      for (let i = 0; i < 40; i++) await from.publish(topic, [{ key, value: String(i) }]);
    };
    await Promise.all([send(queue, 'a'), send(other, 'b')]);
    const complete = (key: string): boolean => new Set(seen.get(key)).size === 40;
    await eventually(() => complete('a') && complete('b'), 'all came');
    for (const key of ['a', 'b']) {
      const firsts = [...new Set(seen.get(key))];
      assert.deepEqual(
        firsts,
        [...firsts].sort((x, y) => x - y),
        `order of ${key}`,
      );
    }
  });

  given(
    'parked messages are put back, also while what was put back is parked again',
    async (_t, queue, topic) => {
      // One message of its own key, which is parked again long before all others are put back.
      const parked = numbered(30, 1).map((message, i) => (i === 0 ? { ...message, key: 'first' } : message));
      await queue.publish(failedTopicOf(topic), parked);
      const got: string[] = [];
      // A processor that parks at once what it gets.
      await queue.consume({
        topic,
        group: 'g',
        concurrency: 4,
        handle: async message => {
          await queue.publish(failedTopicOf(topic), [message]);
          got.push(message.value);
        },
      });
      const numbersOf = (values: readonly string[]): number[] => values.map(Number).sort((a, b) => a - b);
      assert.equal(await redrive(queue, topic, 'g'), 30);
      await eventually(() => got.length === 30, 'each was put back once');
      assert.deepEqual(
        numbersOf(got),
        parked.map((_, i) => i),
      );
      assert.equal(await redrive(queue, topic, 'g'), 30);
    },
  );

  given('progress tells what a group has not done', async (_t, queue, topic) => {
    await queue.publish(topic, numbered(10, 10));
    const before = await queue.progress(topic, 'g');
    assert.ok(before.some(partition => !partition.finished));
    const offsets: ReceivedMessage[] = [];
    await queue.consume({
      topic,
      group: 'g',
      concurrency: 1,
      handle: message => Promise.resolve(void offsets.push(message)),
    });
    await eventually(
      async () => (await queue.progress(topic, 'g')).every(partition => partition.finished),
      'nothing is left',
    );
    assert.equal(offsets.length, 10);
    for (const { partition, offset } of offsets) {
      const end = before.find(found => found.partition === partition)?.end;
      assert.ok(end !== undefined && queue.compareOffsets(offset, end) < 0);
    }
  });

  given('a name that is none is refused', async (_t, queue) => {
    const handle = (): Promise<void> => Promise.resolve();
    for (const bad of ['', '..', 'a/b', 'a b', 'x'.repeat(300)]) {
      for (const attempt of [
        () => queue.publish(bad, [{ key: '', value: '' }]),
        () => queue.consume({ topic: bad, group: 'g', concurrency: 1, handle }),
        () => queue.consume({ topic: 't', group: bad, concurrency: 1, handle }),
      ]) {
        await assert.rejects(attempt, (err: unknown) => {
          assert.ok(err instanceof QueueError, messageOf(err));
          assert.equal(err.code, 'INVALID_TOPIC');
          return true;
        });
      }
    }
  });

  given(
    'a message that is too large is refused, and the others of its call with it',
    async (_t, queue, topic) => {
      const large = { key: 'k', value: 'x'.repeat(17 * 1024 * 1024) };
      await assert.rejects(
        queue.publish(topic, [{ key: 'k', value: 'small' }, large]),
        (err: unknown) => err instanceof QueueError && err.code === 'MESSAGE_TOO_LARGE',
      );
      await queue.publish(topic, [{ key: 'k', value: 'next' }]);
      const got: string[] = [];
      await queue.consume({
        topic,
        group: 'g',
        concurrency: 1,
        handle: message => Promise.resolve(void got.push(message.value)),
      });
      await eventually(() => got.length > 0, 'the next came');
      assert.deepEqual(got, ['next']);
    },
  );

  given('a closed queue refuses work, and says that it is not ready', async (_t, queue, topic) => {
    await queue.ready();
    await queue.close();
    await queue.close();
    await assert.rejects(queue.publish(topic, []), { code: 'CLOSED' });
    await assert.rejects(queue.ready(), { code: 'CLOSED' });
  });
}
