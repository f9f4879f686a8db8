/**
 * What one extension of a populator does: reads a batch, gives it to the filter, publishes what that wants,
 * saves the offset. At least once: a crash in between publishes the messages of a batch or two again. In order:
 * one batch after the other, and in a batch in the order of the log.
 *
 * The next batches are read and filtered while the last ones are published, and the offset of those is saved while
 * the next ones are published.
 */
import type { Logger } from '@zenko-modules/common/logger';
import type { PopulatorMetrics } from '../extension-metrics.js';
import { isFailedTopic, type Queue } from '../queue/queue.js';
import type { BacklogGate } from './backlog-gate.js';
import type { Cursor, Cursors } from './cursor.js';
import { Filtering, type NamedFilter } from './filtering.js';
import { type Group, GroupPublisher } from './group-publisher.js';
import { insist } from './insist.js';
import { publishAll } from './publishing.js';
import type { Batch } from './record-log-reader.js';
import type { SharedLog } from './shared-log.js';
import type { UnreadTopics } from './unread-topics.js';

export interface LaneOptions {
  readonly named: NamedFilter;
  readonly filterAttempts: number;
  /** Records that are published before the offset is saved, but for those that are published in one go. */
  readonly batchRecords: number;
  readonly cursors: Cursors;
  readonly queue: Queue;
  /** Rejects when another populator works. */
  readonly fence: () => Promise<void>;
  readonly unread: UnreadTopics;
  readonly gate: BacklogGate;
  readonly metrics: PopulatorMetrics;
  readonly log: Logger;
}

export class Lane {
  readonly #options: LaneOptions;
  readonly #troubles = new Map<string, string>();
  readonly #filtering: Filtering;
  /** Batches that were read and are not done. */
  #inHand = 0;
  /** Time of the newest record that is done, or the last moment at which there was nothing to do. */
  #upToDateUntil: number;
  #caughtUp = false;
  /** Published, and not being saved yet. */
  #unsaved: Cursor | undefined;
  #savedSeq: number;
  /** `false` when it was given up. */
  #saving: Promise<boolean> = Promise.resolve(true);

  constructor(options: LaneOptions) {
    this.#options = options;
    const { named, filterAttempts: attempts, cursors, metrics, log } = options;
    this.#filtering = new Filtering({ named, attempts, metrics, log, onTrouble: this.#trouble('filter') });
    this.#upToDateUntil = Date.now();
    this.#savedSeq = cursors.get(named.name).nextSeq;
  }

  /** What is wrong; `undefined` when all is well. */
  get trouble(): string | undefined {
    const [first] = this.#troubles.values();
    return first && `extension ${this.#options.named.name}: ${first}`;
  }

  /** Age of the newest record that is done, in seconds, while there are more; 0 when there are none. */
  get behindSeconds(): number {
    return this.#caughtUp ? 0 : Math.max(0, (Date.now() - this.#upToDateUntil) / 1000);
  }

  /** The log cannot be read: whether there is more is not known. */
  lostSight(): void {
    if (this.#caughtUp) this.#upToDateUntil = Date.now();
    this.#caughtUp = false;
  }

  /** Runs until `signal` is aborted. Never rejects. */
  async run(log: SharedLog, signal: AbortSignal): Promise<void> {
    const { cursors, named, batchRecords: maxRecords } = this.#options;
    const { name } = named;
    const publisher = new GroupPublisher({ maxRecords, publish: group => this.#publish(group, signal) });
    let reading = log.next(name, cursors.get(name), false);
    for (;;) {
      const batch = await reading;
      if (!batch) break;
      this.#begin(batch);
      const outgoing = await this.#filtering.run(batch, signal);
      if (!outgoing) break;
      // Not before: what has come meanwhile is taken in one go.
      reading = log.next(name, batch.next, batch.atEnd);
      if (!(await publisher.add(batch, outgoing))) break;
    }
    await publisher.end();
    if (await this.#saving) await this.#save(signal);
  }

  #begin({ items, atEnd }: Batch): void {
    this.#inHand++;
    if (items.length > 0 || !atEnd) this.lostSight();
  }

  /** Publishes, and begins to save the offset when that is due. @returns false when `signal` was aborted first. */
  async #publish(group: Group, signal: AbortSignal): Promise<boolean> {
    const { queue, fence, unread, gate, metrics, log, named, batchRecords } = this.#options;
    const publishing = {
      extension: named.name,
      queue,
      fence,
      metrics,
      log,
      onTrouble: this.#trouble('publish'),
    };
    for (const [topic, messages] of group.outgoing) await gate.pass(topic, messages.length, signal);
    if (!(await publishAll(group.outgoing, publishing, signal))) return false;
    for (const topic of group.outgoing.keys()) if (!isFailedTopic(topic)) unread.published(topic);
    if (group.hasChanges) this.#unsaved = group.next;
    if (!group.atEnd && Math.abs(group.next.nextSeq - this.#savedSeq) < batchRecords) {
      this.#done(group);
      return true;
    }
    // No more than one offset is behind what is published.
    if (!(await this.#saving)) return false;
    this.#saving = this.#save(signal).then(saved => {
      if (saved) this.#done(group);
      return saved;
    });
    return true;
  }

  /** @returns false when it was given up. */
  async #save(signal: AbortSignal): Promise<boolean> {
    const { cursors, log, named } = this.#options;
    const cursor = this.#unsaved;
    if (!cursor) return true;
    this.#unsaved = undefined;
    this.#savedSeq = cursor.nextSeq;
    // Also when a stop has come meanwhile: what is published would be published again.
    const onTrouble = this.#trouble('save');
    const saving = { what: 'save the offset', signal, log, onTrouble, onceAtLeast: true };
    const saved = await insist(saving, async () => {
      await cursors.save(named.name, cursor);
      return true;
    });
    return saved === true;
  }

  #done({ batches, newestTime, atEnd }: Group): void {
    this.#inHand -= batches;
    const time = Date.parse(newestTime ?? '');
    if (!this.#caughtUp && !Number.isNaN(time)) this.#upToDateUntil = time;
    if (atEnd && this.#inHand === 0) this.#caughtUp = true;
  }

  #trouble(what: string): (trouble: string | undefined) => void {
    return trouble => {
      if (trouble === undefined) this.#troubles.delete(what);
      else this.#troubles.set(what, trouble);
    };
  }
}
