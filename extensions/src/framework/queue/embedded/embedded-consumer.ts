/**
 * A member of a consumer group on the embedded queue. One member of a group works at a time, the one that
 * holds the group's lease; the others stand by.
 */
import { setMaxListeners } from 'node:events';
import { linkSignals } from '@zenko-modules/common/abort';
import { sleep } from '@zenko-modules/common/deadline';
import type { Logger } from '@zenko-modules/common/logger';
import { syncFolder } from '@zenko-modules/common/sync-folder';
import { acquireLease } from '../../files/lease.js';
import type { Gate } from '../gate.js';
import { handOut } from '../handing-out.js';
import { KeyedPool } from '../keyed-pool.js';
import { LowWaterMark } from '../low-water-mark.js';
import type { ConsumeOptions } from '../queue.js';
import { removeConsumed } from './consumed-segments.js';
import { FolderFollower } from './follow.js';
import { commit, leasePath, registerGroup } from './group-offsets.js';
import { formatPosition, parsePosition, type Position } from './segments.js';
import { type PositionedRecord, TopicReader } from './topic-reader.js';

const COMMIT_EVERY_MS = 500;
/** Pause before messages whose handling failed come again. */
const REDELIVER_AFTER_MS = 1000;
/** Messages read ahead, for each one that may be handled at once. */
const READ_AHEAD = 8;

export class EmbeddedConsumer {
  readonly #folder: string;
  readonly #options: ConsumeOptions;
  readonly #log: Logger;
  readonly #stop = new AbortController();
  readonly #running: Promise<void>;
  readonly #gate: Gate;

  /** @param gate closed while nothing is to be handed out */
  constructor(folder: string, options: ConsumeOptions, gate: Gate, log: Logger) {
    this.#folder = folder;
    this.#gate = gate;
    this.#options = options;
    this.#log = log.child({ topic: options.topic, group: options.group });
    this.#running = this.#run();
  }

  /** As `Consumer.close`. */
  async close(): Promise<void> {
    this.#stop.abort();
    await this.#running;
  }

  async #run(): Promise<void> {
    const { signal } = this.#stop;
    const { topic, group } = this.#options;
    for (;;) {
      try {
        const lease = await acquireLease({
          file: leasePath(this.#folder, group),
          what: `group ${group} of topic ${topic}`,
          log: this.#log,
          signal,
        });
        if (!lease) return;
        const leave = linkSignals(signal, lease.lost);
        try {
          await this.#work(leave.signal, lease.lost);
        } finally {
          leave.release();
          await lease.release();
        }
      } catch (err) {
        this.#log.error({ err }, 'consuming failed: trying again');
      }
      await sleep(REDELIVER_AFTER_MS, signal);
    }
  }

  /** Consumes from the committed position until `leave` is aborted or a message could not be handled. */
  async #work(leave: AbortSignal, lost: AbortSignal): Promise<void> {
    const { group, concurrency, handle, topic } = this.#options;
    const start = await registerGroup(this.#folder, group);
    const refused = new AbortController();
    const { signal, release } = linkSignals(leave, refused.signal);
    // Every message that is being handled may listen.
    setMaxListeners(0, signal);
    const handingOut = { gate: this.#gate, handle, signal, refused, log: this.#log };
    const reader = new TopicReader(this.#folder, start, this.#log);
    const follower = new FolderFollower(this.#folder, this.#log);
    const pool = new KeyedPool(concurrency);
    const mark = new LowWaterMark(formatPosition(start));
    signal.addEventListener('abort', () => follower.wake(), { once: true });

    const hand = ({ record, position, next }: PositionedRecord): void => {
      const done = mark.add(formatPosition(next));
      const message = {
        topic,
        partition: 0,
        offset: formatPosition(position),
        timestamp: record.time,
        key: record.key,
        value: record.value,
        headers: record.headers ?? {},
      };
      pool.add(record.key, () => handOut(message, done, handingOut));
    };
    let kept = start.segment;
    const commits = new Commits(async position => {
      await commit(this.#folder, group, position);
      if (position.segment > kept) await removeConsumed(this.#folder, this.#log);
      kept = position.segment;
    }, mark);
    let passed = start.segment;
    const timer = setInterval(() => {
      if (lost.aborted) return;
      commits.save().catch((err: unknown) => this.#log.error({ err }, 'cannot commit: trying again'));
    }, COMMIT_EVERY_MS);
    try {
      for (;;) {
        const records = await reader.read();
        for (const record of records) {
          await pool.below(concurrency * READ_AHEAD);
          if (signal.aborted) return;
          hand(record);
        }
        const { position } = reader;
        if (records.length === 0 && position.segment > passed) {
          // All that was read makes room when it is done, although nothing follows it yet.
          await syncFolder(this.#folder);
          mark.add(formatPosition(position))();
          passed = position.segment;
        }
        if (records.length === 0) await follower.changed();
        if (signal.aborted) return;
      }
    } finally {
      refused.abort();
      release();
      follower.close();
      await reader.close();
      await pool.below(0);
      clearInterval(timer);
      // The group's file is the new holder's by now.
      if (!lost.aborted) await commits.save();
    }
  }
}

/** Commits what is done, one commit at a time, each further than the one before. */
class Commits {
  readonly #commit: (position: Position) => Promise<void>;
  readonly #mark: LowWaterMark;
  #committed: string | undefined;
  #last: Promise<void> = Promise.resolve();

  constructor(commitPosition: (position: Position) => Promise<void>, mark: LowWaterMark) {
    this.#commit = commitPosition;
    this.#mark = mark;
    this.#committed = mark.value;
  }

  save(): Promise<void> {
    const work = this.#last.then(async () => {
      const { value } = this.#mark;
      if (value === undefined || value === this.#committed) return;
      await this.#commit(parsePosition(value));
      this.#committed = value;
    });
    this.#last = work.catch(() => undefined);
    return work;
  }
}
