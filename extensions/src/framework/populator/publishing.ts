/** Publishes what a filter chose, topic by topic, until it is on stable storage. */
import type { Logger } from '@zenko-modules/common/logger';
import type { PopulatorMetrics } from '../extension-metrics.js';
import { failedTopicOf, isFailedTopic, type Queue } from '../queue/queue.js';
import { isTooLarge, standInFor } from '../queue/too-large.js';
import type { Outgoing, OutgoingMessage } from './filtering.js';
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

/** What is too large for the topic is parked as something that tells of it. */
async function publishTopic(
  topic: string,
  messages: readonly OutgoingMessage[],
  options: PublishingOptions,
): Promise<void> {
  const { queue, fence } = options;
  try {
    await queue.publish(topic, messages, { fence });
  } catch (err) {
    if (!isTooLarge(err)) throw err;
    for (const message of messages) {
      try {
        await queue.publish(topic, [message], { fence });
      } catch (oneError) {
        if (!isTooLarge(oneError)) throw oneError;
        await parkStandIn(topic, message, oneError, options);
      }
    }
  }
}

async function parkStandIn(
  topic: string,
  message: OutgoingMessage,
  err: unknown,
  { extension, queue, fence, metrics, log }: PublishingOptions,
): Promise<void> {
  const { origin } = message;
  const failed = isFailedTopic(topic) ? topic : failedTopicOf(topic);
  await queue.publish(failed, [standInFor(message, { extension, topic, origin, err })], { fence });
  metrics.poisoned.inc({ reason: 'size', extension });
  metrics.parked.inc({ extension, topic: failed });
  log.error(
    { err, topic, seq: origin?.seq, bucket: origin?.bucket, key: origin?.key, parked: failed },
    'a message is too large: parked what tells of it in its place',
  );
}
