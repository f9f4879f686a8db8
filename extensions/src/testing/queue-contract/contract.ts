import type { TestContext } from 'node:test';
import type { Message, Queue } from '../../framework/queue/queue.js';

/** What the cases of the contract are written with. */
export interface Contract {
  /** Registers a test, which gets a queue and the name of a topic of its own. */
  readonly given: (
    title: string,
    body: (t: TestContext, queue: Queue, topic: string) => Promise<void>,
  ) => void;
  /** One more queue that reaches the same place. */
  readonly open: (t: TestContext) => Promise<Queue>;
}

/** Messages with the values 0, 1, 2, …, on so many keys in turn. */
export function numbered(count: number, keys: number): Message[] {
  return Array.from({ length: count }, (_, i) => ({ key: `k${i % keys}`, value: String(i) }));
}
