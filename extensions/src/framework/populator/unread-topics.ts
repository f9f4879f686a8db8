/** Says once of each topic that is published to and that nobody reads: its messages only pile up. */
import type { Logger } from '@zenko-modules/common/logger';
import type { Queue } from '../queue/queue.js';

/** A processor that is started together with the populator has joined by then. */
const LOOK_AFTER_MS = 30_000;

export interface TopicReader {
  readonly topic: string;
  readonly extension: string;
  readonly group: string;
}

export interface UnreadTopicsOptions {
  readonly queue: Pick<Queue, 'progress'>;
  /** Those that there would be, when all processors ran. */
  readonly readers: readonly TopicReader[];
  readonly log: Logger;
  readonly lookAfterMs?: number;
}

export class UnreadTopics {
  readonly #options: UnreadTopicsOptions;
  readonly #timers = new Map<string, NodeJS.Timeout>();

  constructor(options: UnreadTopicsOptions) {
    this.#options = options;
  }

  /** Messages were published to `topic`. Cheap: called for each batch. */
  published(topic: string): void {
    if (this.#timers.has(topic)) return;
    const { lookAfterMs = LOOK_AFTER_MS } = this.#options;
    this.#timers.set(topic, setTimeout(() => void this.#look(topic), lookAfterMs).unref());
  }

  close(): void {
    for (const timer of this.#timers.values()) clearTimeout(timer);
  }

  async #look(topic: string): Promise<void> {
    const { queue, readers, log } = this.#options;
    const ofTopic = readers.filter(reader => reader.topic === topic);
    if (ofTopic.length === 0) {
      log.warn(
        { topic },
        'no extension that runs here reads this topic: unless others do, its messages only pile up',
      );
      return;
    }
    for (const { extension, group } of ofTopic) {
      try {
        const progress = await queue.progress(topic, group);
        if (progress.some(({ committed }) => committed !== undefined)) continue;
        const command = `npm run processor -- ${extension}`;
        log.warn(
          { topic, group },
          `nobody has read this topic yet: run its processor, with \`${command}\` say`,
        );
      } catch (err) {
        log.debug({ err, topic }, 'could not see who reads a topic');
      }
    }
  }
}
