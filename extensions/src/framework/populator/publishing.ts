/** Publishes what a filter chose, topic by topic, until it is on stable storage. */
import type { Logger } from '@zenko-modules/common/logger';
import type { PopulatorMetrics } from '../extension-metrics.js';
import { type Message, type Queue, QueueError } from '../queue/queue.js';
import type { Outgoing } from './filtering.js';
import { insist } from './insist.js';

export interface PublishingOptions {
  readonly extension: string;
  readonly queue: Queue;
  /** See `PublishOptions`. */
  readonly fence: () => Promise<void>;
  readonly metrics: PopulatorMetrics;
  readonly log: Logger;
  readonly onTrouble: (trouble: string | undefined) => void;
}

/** Messages of one topic stay in order. @returns false when `signal` was aborted first. */
export async function publishAll(
  outgoing: Outgoing,
  options: PublishingOptions,
  signal: AbortSignal,
): Promise<boolean> {
  const { extension, metrics, log, onTrouble } = options;
  for (const [topic, messages] of outgoing) {
    const done = await insist({ what: `publish to ${topic}`, signal, log, onTrouble }, async () => {
      await publishTopic(topic, messages, options);
      return true;
    });
    if (!done) return false;
    metrics.published.inc({ extension, topic }, messages.length);
  }
  return true;
}

async function publishTopic(
  topic: string,
  messages: readonly Message[],
  { extension, queue, fence, metrics, log }: PublishingOptions,
): Promise<void> {
  try {
    await queue.publish(topic, messages, { fence });
  } catch (err) {
    if (!isTooLarge(err)) throw err;
    for (const message of messages) {
      await queue.publish(topic, [message], { fence }).catch((oneError: unknown) => {
        if (!isTooLarge(oneError)) throw oneError;
        metrics.poisoned.inc({ reason: 'size', extension });
        log.error(
          { err: oneError, topic, key: message.key },
          'passed over an entry: its message is too large',
        );
      });
    }
  }
}

function isTooLarge(err: unknown): boolean {
  return err instanceof QueueError && err.code === 'MESSAGE_TOO_LARGE';
}
