/** Room is made by removing what every group of a topic has read. */
import { rm } from 'node:fs/promises';
import type { Logger } from '@zenko-modules/common/logger';
import { lowestNeededSegment } from './group-offsets.js';
import { listSegments, segmentPath } from './segments.js';

/** Removes them; what cannot be removed is said in the log, and tried again the next time. */
export async function removeConsumed(topicFolder: string, log: Logger): Promise<void> {
  try {
    const needed = await lowestNeededSegment(topicFolder);
    if (needed === undefined) return;
    // The newest stays, whatever was read: its number tells the next writer where to go on.
    const old = (await listSegments(topicFolder)).slice(0, -1).filter(number => number < needed);
    for (const number of old) await rm(segmentPath(topicFolder, number), { force: true });
  } catch (err) {
    log.warn({ err, folder: topicFolder }, 'cannot remove segments that all groups have read');
  }
}
