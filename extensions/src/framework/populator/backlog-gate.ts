/** Holds an extension up while a topic that it publishes to has more messages waiting than it may have. */
import { sleep } from '@zenko-modules/common/deadline';
import type { Logger } from '@zenko-modules/common/logger';
import type { Queue } from '../queue/queue.js';
import type { TopicReader } from './unread-topics.js';

const LOOK_EVERY_MS = 1000;

export interface BacklogGateOptions {
  readonly queue: Pick<Queue, 'backlog'>;
  readonly readers: readonly TopicReader[];
  /** Messages that a group may have waiting; `undefined`: any number. */
  readonly maxBacklog: number | undefined;
  readonly log: Logger;
  readonly lookEveryMs?: number;
}

export class BacklogGate {
  readonly #options: BacklogGateOptions;
  /** How many messages a topic takes before its backlog must be looked at again. */
  readonly #room = new Map<string, number>();

  constructor(options: BacklogGateOptions) {
    this.#options = options;
  }

  /** Resolves when `messages` more may be published to `topic`, or `signal` is aborted. A batch that is begun may pass the bound. */
  async pass(topic: string, messages: number, signal: AbortSignal): Promise<void> {
    const { maxBacklog, readers, lookEveryMs = LOOK_EVERY_MS, log } = this.#options;
    const groups = readers.filter(reader => reader.topic === topic).map(({ group }) => group);
    if (maxBacklog === undefined || groups.length === 0) return;
    let room = this.#room.get(topic) ?? 0;
    for (let told = false; room <= 0 && !signal.aborted;) {
      const backlog = await this.#backlog(topic, groups);
      room = backlog === undefined ? 0 : maxBacklog - backlog;
      if (room > 0) {
        if (told) log.info({ topic, backlog }, 'goes on publishing to this topic');
        break;
      }
      if (!told) {
        log.warn(
          { topic, backlog, maxBacklog },
          'publishes no more to this topic until its processors have done more',
        );
      }
      told = true;
      await sleep(lookEveryMs, signal);
    }
    this.#room.set(topic, room - messages);
  }

  async #backlog(topic: string, groups: readonly string[]): Promise<number | undefined> {
    const { queue, log } = this.#options;
    try {
      return Math.max(...(await Promise.all(groups.map(group => queue.backlog(topic, group)))));
    } catch (err) {
      log.debug({ err, topic }, 'cannot tell the backlog');
      return undefined;
    }
  }
}
