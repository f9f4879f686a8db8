/** Metrics of what groups have not done yet, asked from the queue when metrics are. */
import { withDeadline } from '@zenko-modules/common/deadline';
import type { Logger } from '@zenko-modules/common/logger';
import { Gauge, type Registry } from 'prom-client';
import type { Queue } from './queue.js';

/** Whoever reads the metrics does not wait for a queue that is away. */
const ANSWER_WITHIN_MS = 2000;

export interface TopicGroup {
  readonly topic: string;
  readonly group: string;
}

/** The messages that a group has not done; `undefined` while the queue does not tell. */
export type Backlogs = (of: TopicGroup) => Promise<number | undefined>;

/** Asks a queue, once at a time for each group. */
export function createBacklogs(queue: Pick<Queue, 'backlog'>, log: Logger): Backlogs {
  const asked = new Map<string, Promise<number>>();
  return async of => {
    const name = `${of.topic} ${of.group}`;
    let answer = asked.get(name);
    if (!answer) {
      answer = queue.backlog(of.topic, of.group).finally(() => asked.delete(name));
      asked.set(name, answer);
    }
    try {
      return await withDeadline(answer, ANSWER_WITHIN_MS, 'the backlog');
    } catch (err) {
      log.debug({ err, ...of }, 'cannot tell the backlog');
      return undefined;
    }
  };
}

/** `queue_backlog_messages` of each of `groups`. */
export function createBacklogMetrics(
  registry: Registry,
  backlogs: Backlogs,
  groups: () => readonly TopicGroup[],
): void {
  new Gauge({
    name: 'queue_backlog_messages',
    help: 'Messages that a group has not done, by topic and group; missing while the queue does not answer',
    labelNames: ['topic', 'group'] as const,
    registers: [registry],
    async collect() {
      const found = await Promise.all(groups().map(async of => ({ of, messages: await backlogs(of) })));
      this.reset();
      for (const { of, messages } of found) if (messages !== undefined) this.set({ ...of }, messages);
    },
  });
}

/** `processor_lag_messages`: the backlog of what a processor reads, all of it together. */
export function createLagMetric(
  registry: Registry,
  backlogs: Backlogs,
  groups: () => readonly TopicGroup[],
): void {
  new Gauge({
    name: 'processor_lag_messages',
    help: 'Messages of its topic that the processor and the others of its group have not done; NaN while the queue does not answer',
    registers: [registry],
    async collect() {
      const found = await Promise.all(groups().map(backlogs));
      const lag = found.reduce<number>((sum, messages) => sum + (messages ?? NaN), 0);
      this.set(found.length === 0 ? NaN : lag);
    },
  });
}
