/**
 * What every transport of the queue must keep, as tests. Call it with a factory of queues that all reach
 * the same place, each as another process would:
 *
 *     queueContract('my transport', { open: async t => new MyQueue(…) });
 */
import { randomUUID } from 'node:crypto';
import test from 'node:test';
import { WAIT_MS } from '../eventually.js';
import type { Contract } from './contract.js';
import { deliveryCases } from './delivery.js';
import { groupCases } from './groups.js';
import { refusalCases } from './refusals.js';

export interface QueueContractOptions {
  /** A queue of the test's own connection; the suite closes it. */
  readonly open: Contract['open'];
  /** As node:test takes it. */
  readonly skip?: string | false;
}

export function queueContract(name: string, { open, skip = false }: QueueContractOptions): void {
  const given: Contract['given'] = (title, body) => {
    test(`${name}: ${title}`, { skip, timeout: 2 * WAIT_MS }, async t => {
      const queue = await open(t);
      t.after(() => queue.close());
      await body(t, queue, `contract-${randomUUID()}`);
    });
  };
  for (const cases of [deliveryCases, groupCases, refusalCases]) cases({ given, open });
}
