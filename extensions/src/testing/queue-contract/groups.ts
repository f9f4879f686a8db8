/** What a group of consumers has done, and goes on from. */
import assert from 'node:assert/strict';
import { sleep } from '@zenko-modules/common/deadline';
import { redrive } from '../../framework/processor/redrive.js';
import { failedTopicOf, type Queue, type ReceivedMessage } from '../../framework/queue/queue.js';
import { eventually } from '../eventually.js';
import { type Contract, numbered } from './contract.js';

export function groupCases({ given, open }: Contract): void {
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

  given('the backlog is what a group has not done', async (t, queue, topic) => {
    assert.equal(await queue.backlog(topic, 'g'), 0);
    await queue.publish(topic, numbered(25, 5));
    await queue.publish(topic, numbered(5, 5));
    assert.equal(await queue.backlog(topic, 'g'), 30);
    let allowed = 12;
    const stop = new Error('enough for now');
    const first = await queue.consume({
      topic,
      group: 'g',
      concurrency: 1,
      handle: () => (allowed-- > 0 ? Promise.resolve() : Promise.reject(stop)),
    });
    const left = async (): Promise<number> => queue.backlog(topic, 'g');
    await eventually(async () => (await left()) === 18, 'twelve are done');
    await first.close();
    assert.equal(await queue.backlog(topic, 'other'), 30);
    // From now on what it has not read is kept for it.
    const joins = { topic, group: 'other', concurrency: 1, handle: () => Promise.reject(stop) };
    await (await queue.consume(joins)).close();
    const other = await open(t);
    t.after(() => other.close());
    assert.equal(await other.backlog(topic, 'g'), 18);
    await queue.publish(topic, numbered(7, 5));
    assert.equal(await left(), 25);
    await queue.consume({ topic, group: 'g', concurrency: 3, handle: () => Promise.resolve() });
    await eventually(async () => (await left()) === 0, 'nothing is left');
    assert.equal(await queue.backlog(topic, 'other'), 37);
  });

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
}
