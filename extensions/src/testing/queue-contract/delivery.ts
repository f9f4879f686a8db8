/** What is handed out, in which order, and what holds it back. */
import assert from 'node:assert/strict';
import { sleep } from '@zenko-modules/common/deadline';
import { type Queue, type ReceivedMessage } from '../../framework/queue/queue.js';
import { eventually } from '../eventually.js';
import { type Contract, numbered } from './contract.js';

export function deliveryCases({ given, open }: Contract): void {
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
}
