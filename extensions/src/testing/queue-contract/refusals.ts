/** What a queue refuses, by name. */
import assert from 'node:assert/strict';
import { messageOf } from '@zenko-modules/common/errors';
import { QueueError } from '../../framework/queue/queue.js';
import { eventually } from '../eventually.js';
import { type Contract } from './contract.js';

export function refusalCases({ given, open }: Contract): void {
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

  given(
    'who was frozen and has lost the right to publish puts nothing behind what the other one published',
    async (t, frozen, topic) => {
      const other = await open(t);
      t.after(() => other.close());
      let mayPublish = true;
      const fence = (): Promise<void> =>
        mayPublish ? Promise.resolve() : Promise.reject(new Error('the other one works'));
      const late = (value: string): Promise<void> => frozen.publish(topic, [{ key: 'k', value }], { fence });
      const publish = (value: string): Promise<void> => other.publish(topic, [{ key: 'k', value }]);
      await late('one');
      await publish('two');
      // Joins in again, as long as it may.
      await late('three');
      await publish('four');
      mayPublish = false;
      await assert.rejects(late('late'), { code: 'UNAVAILABLE' });
      await assert.rejects(late('late'), { code: 'UNAVAILABLE' });
      await publish('five');
      const values: string[] = [];
      await other.consume({
        topic,
        group: 'g',
        concurrency: 1,
        handle: message => Promise.resolve(void values.push(message.value)),
      });
      await eventually(() => values.includes('five'), 'all came');
      assert.ok(values.lastIndexOf('late') < values.lastIndexOf('four'), values.join(' '));
      assert.deepEqual(
        values.filter(value => value !== 'late').filter((value, at, all) => all.lastIndexOf(value) === at),
        ['one', 'two', 'three', 'four', 'five'],
      );
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
