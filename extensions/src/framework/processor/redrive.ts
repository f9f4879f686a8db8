/**
 * Puts parked messages back into their topic, in their order, to be processed again. Only those that were
 * parked when it began: what fails again at once is not taken in circles.
 */
import { setTimeout as pause } from 'node:timers/promises';
import type { Outgoing } from '../populator/filtering.js';
import { isParkedEntry, parkedAsBefore } from '../populator/parked-entry.js';
import { failedTopicOf, type Progress, type Queue, type ReceivedMessage } from '../queue/queue.js';
import { isStandIn } from '../queue/too-large.js';
import { withoutFailure } from './parked-message.js';

const LOOK_EVERY_MS = 100;
/** The group in which the failed topic of `group` is read. */
export function redriveGroupOf(group: string): string {
  return `${group}-redrive`;
}

/** What a parked entry gives rise to when its filter sees it again. */
export type Refilter = (parked: ReceivedMessage) => Promise<Outgoing>;

/**
 * Resolves with the number of messages that were put back, when all are on stable storage and marked as
 * re-driven. After a crash, begin again: at most some are put back twice. @throws QueueError
 */
export async function redrive(
  queue: Queue,
  topic: string,
  processorGroup: string,
  refilter: Refilter = parkedAsBefore,
): Promise<number> {
  const failed = failedTopicOf(topic);
  const group = redriveGroupOf(processorGroup);
  const begin = await queue.progress(failed, group);
  const ends = new Map(begin.map(({ partition, end }) => [partition, end]));
  const isBefore = (offset: string | undefined, partition: number): boolean => {
    const end = ends.get(partition);
    return end !== undefined && offset !== undefined && queue.compareOffsets(offset, end) < 0;
  };
  const isDone = ({ partition, committed, finished }: Progress): boolean =>
    finished || !ends.has(partition) || (committed !== undefined && !isBefore(committed, partition));
  if (begin.every(isDone)) return 0;
  /** Partitions of which a later message was offered: one at a time they come in order, so all before it is done. */
  const passed = new Set<number>();
  const outgoingOf = async (message: ReceivedMessage): Promise<Outgoing> => {
    if (isStandIn(message)) return parkedAsBefore(message);
    return isParkedEntry(message) ? refilter(message) : new Map([[topic, [withoutFailure(message)]]]);
  };
  let count = 0;
  const consumer = await queue.consume({
    topic: failed,
    group,
    concurrency: 1,
    handle: async message => {
      if (!isBefore(message.offset, message.partition)) {
        passed.add(message.partition);
        // Refused rather than kept waiting: the other partitions are read meanwhile.
        throw new Error('parked after the re-drive began: left for the next one');
      }
      const outgoing = await outgoingOf(message);
      for (const [to, messages] of outgoing) await queue.publish(to, messages);
      if (!isStandIn(message)) count++;
    },
  });
  try {
    const isOver = (one: Progress): boolean => passed.has(one.partition) || isDone(one);
    while (!(await queue.progress(failed, group)).every(isOver)) await pause(LOOK_EVERY_MS);
  } finally {
    await consumer.close();
  }
  return count;
}
