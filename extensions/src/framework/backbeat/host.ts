/**
 * What the runner offers to a processor in Backbeat's form, which makes its own consumers and producers. They
 * find it by the call that they are made in: the constructor or `start` of the processor, or what these began.
 */
import { AsyncLocalStorage } from 'node:async_hooks';
import type { KeyPair } from '../config/service-accounts.js';
import type { QueueProcessor } from '../contract/extension.js';
import type { Consumer, Message } from '../queue/queue.js';

export interface Subscription {
  readonly topic: string;
  readonly group: string;
  /** As the configuration says when it is left out. */
  readonly concurrency?: number | undefined;
}

export interface BackbeatHost {
  /** Has messages handed to `processor` as the runner does: tried again, parked, counted. */
  readonly consume: (subscription: Subscription, processor: QueueProcessor) => Promise<Consumer>;
  readonly publish: (topic: string, messages: readonly Message[]) => Promise<void>;
  /** The partitions of a topic. */
  readonly partitions: (topic: string) => Promise<readonly number[]>;
  readonly credentials: (auth: unknown) => () => Promise<KeyPair>;
}

const hosts = new AsyncLocalStorage<BackbeatHost>();

export function runIn<T>(host: BackbeatHost, work: () => T): T {
  return hosts.run(host, work);
}

/** @throws Error outside of a processor. */
export function currentHost(what: string): BackbeatHost {
  const host = hosts.getStore();
  if (host) return host;
  throw new Error(
    `${what} works only in an extension's queueProcessor that the processor command runs, from its constructor or start() on`,
  );
}
