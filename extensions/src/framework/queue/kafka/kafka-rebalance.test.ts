import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { describe, test, type TestContext } from 'node:test';
import { sleep } from '@zenko-modules/common/deadline';
import { kafkaMissing } from '../../../testing/kafka-broker.js';
import { eventually } from '../../../testing/eventually.js';
import { openSharedQueue } from '../../../testing/shared-kafka.js';
import type { Consumer, Queue } from '../queue.js';

const open = (t: TestContext): Promise<Queue> => openSharedQueue(t, 4);

/** What members work on, by key: more than one at once is what must not be. */
class Work {
  readonly overlaps: string[] = [];
  readonly order = new Map<string, string[]>();
  readonly open = new Map<string, string>();
  begun = 0;

  begin(key: string, what: string): void {
    const other = this.open.get(key);
    if (other !== undefined) this.overlaps.push(`${what} began while ${other} was under way`);
    this.open.set(key, what);
    this.begun++;
  }

  end(key: string, value: string): void {
    this.open.delete(key);
    this.order.set(key, [...(this.order.get(key) ?? []), value]);
  }
}

const KEYS = ['a', 'b', 'c', 'd', 'e', 'f', 'g', 'h'];

// Side by side: both wait most of the time.
describe('when the members of a group change', { concurrency: true }, () => {
  for (const leaves of [false, true]) {
    test(
      `when a member ${leaves ? 'leaves' : 'joins'}, what is being handled is waited for`,
      { skip: kafkaMissing, timeout: 180_000 },
      async t => {
        const queues = [await open(t), await open(t)] as const;
        const topic = `rebalance-${randomUUID()}`;
        const work = new Work();
        const told = new Set<string>();
        const join = (member: 0 | 1): Promise<Consumer> =>
          queues[member].consume({
            topic,
            group: topic,
            concurrency: 10,
            handle: async ({ key, value }, signal) => {
              work.begin(key, `${key}${value} by member ${member}`);
              signal.addEventListener('abort', () => told.add(key), { once: true });
              // Longer than what Kafka takes to notice that the members change.
              await sleep(4000);
              work.end(key, value);
            },
          });
        const first = await join(0);
        if (leaves) await join(1);
        await queues[0].publish(
          topic,
          KEYS.flatMap(key => ['1', '2', '3'].map(value => ({ key, value }))),
        );
        await eventually(() => work.open.size >= KEYS.length / 2, 'many keys are being handled');
        if (leaves) {
          // One that has no part yet has nothing to wait for.
          const isFirstBusy = (): boolean => [...work.open.values()].some(what => what.endsWith('member 0'));
          await eventually(isFirstBusy, 'the first member is handling something');
          await first.close();
        } else await join(1);
        const lastOf = (key: string): string | undefined => work.order.get(key)?.at(-1);
        await eventually(() => KEYS.every(key => lastOf(key) === '3'), 'all is done');
        assert.deepEqual(work.overlaps, []);
        assert.ok(told.size > 0, 'the handlers were told');
        // What was done out of a partition's order may come again, from any message on; each key's stay in order.
        for (const key of KEYS) {
          const done = work.order.get(key) ?? [];
          assert.deepEqual([...new Set(done)], ['1', '2', '3'], key);
          const skips = done.some((value, at) => Number(value) > Number(done[at - 1] ?? 0) + 1);
          assert.ok(!skips, `${key}: ${done.join()}`);
        }
      },
    );
  }
});
