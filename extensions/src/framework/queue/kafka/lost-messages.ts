/**
 * Messages that Kafka removed before a group had done them. kafkajs goes on with the oldest one that is there, and
 * tells it in a log line only.
 */
import { messageOf } from '@zenko-modules/common/errors';
import type { Logger } from '@zenko-modules/common/logger';
import type { LoggerEntryContent } from 'kafkajs';

const OUT_OF_RANGE = 'Offset out of range, resetting to default offset';

/** What a group has committed in a partition, and what the partition has. */
export interface PartitionOffsets {
  readonly partition: number;
  readonly committed: string | undefined;
  /** Of its oldest message. */
  readonly low: string;
  /** After its newest message. */
  readonly high: string;
}

export interface LostMessagesOptions {
  readonly group: string;
  readonly offsets: () => Promise<readonly PartitionOffsets[]>;
  readonly onLost: (count: number) => void;
  readonly log: Logger;
}

export class LostMessages {
  readonly #options: LostMessagesOptions;
  /** Where the group goes on in each partition, as far as it is known. */
  readonly #next = new Map<number, bigint>();

  constructor(options: LostMessagesOptions) {
    this.#options = options;
  }

  /** Asks where the group goes on; to be called before it joins, as kafkajs overwrites what it cannot read from. */
  async look(): Promise<void> {
    const offsets = await this.#options.offsets();
    this.#next.clear();
    for (const { partition, committed } of offsets) {
      if (committed !== undefined) this.goesOn(partition, committed);
    }
  }

  /** Notes that the group goes on with `offset`. */
  goesOn(partition: number, offset: string): void {
    const next = BigInt(offset);
    if (next > (this.#next.get(partition) ?? -1n)) this.#next.set(partition, next);
  }

  /** Hears each log line of kafkajs. */
  hear({ message, groupId, partition }: LoggerEntryContent): void {
    if (message !== OUT_OF_RANGE || groupId !== this.#options.group || typeof partition !== 'number') return;
    this.#tell(partition).catch((err: unknown) => {
      const from = this.#next.get(partition)?.toString();
      this.#options.log.error(
        { err: messageOf(err), partition, from },
        'Kafka no longer has the next message of this group, and does not tell how many are missing',
      );
    });
  }

  async #tell(partition: number): Promise<void> {
    const { offsets, onLost, log } = this.#options;
    const from = this.#next.get(partition);
    const found = (await offsets()).find(one => one.partition === partition);
    if (!found) throw new Error('the partition is not there');
    const low = BigInt(found.low);
    const about = { partition, from: from?.toString(), oldest: found.low, end: found.high };
    if (from !== undefined && low > from) {
      const messages = Number(low - from);
      log.error(
        { ...about, to: String(low - 1n), messages },
        'Kafka has removed messages before this group had done them: going on with the oldest that is there',
      );
      onLost(messages);
    } else {
      log.error(
        about,
        'this partition does not reach to where the group was: going on with its oldest message',
      );
    }
    this.#next.set(partition, low);
  }
}
