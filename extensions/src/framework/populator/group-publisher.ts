/**
 * Gathers what was filtered while what came before is being published: so one sync serves many batches, and the
 * first one waits for no other. One group is published at a time, in order.
 */
import type { Outgoing, OutgoingMessage } from './filtering.js';
import type { Batch } from './record-log-reader.js';

/** Characters that wait before no more are taken. */
const MAX_CHARACTERS = 4 * 1024 * 1024;

/** Batches that are published together. */
export class Group {
  readonly #outgoing = new Map<string, OutgoingMessage[]>();
  #last: Batch;
  #batches = 0;
  #records = 0;
  #characters = 0;
  #hasChanges = false;
  #newestTime: string | undefined;

  constructor(first: Batch, outgoing: Outgoing) {
    this.#last = first;
    this.add(first, outgoing);
  }

  add(batch: Batch, outgoing: Outgoing): void {
    this.#last = batch;
    this.#batches++;
    this.#records += batch.items.length;
    this.#hasChanges ||= batch.items.length > 0 || batch.gap !== undefined;
    this.#newestTime = batch.items.findLast(item => item !== undefined)?.timestamp ?? this.#newestTime;
    for (const [topic, messages] of outgoing) {
      let gathered = this.#outgoing.get(topic);
      if (!gathered) this.#outgoing.set(topic, (gathered = []));
      for (const message of messages) {
        this.#characters += message.value.length;
        gathered.push(message);
      }
    }
  }

  get outgoing(): Outgoing {
    return this.#outgoing;
  }

  get batches(): number {
    return this.#batches;
  }

  /** Where the log goes on after it. */
  get next(): Batch['next'] {
    return this.#last.next;
  }

  get atEnd(): boolean {
    return this.#last.atEnd;
  }

  /** Whether the cursor moves over something. */
  get hasChanges(): boolean {
    return this.#hasChanges;
  }

  /** When the newest of its records was written, ISO 8601. */
  get newestTime(): string | undefined {
    return this.#newestTime;
  }

  isFull(maxRecords: number): boolean {
    return this.#records >= maxRecords || this.#characters >= MAX_CHARACTERS;
  }
}

export interface GroupPublisherOptions {
  /** A group that has so many records takes no more. */
  readonly maxRecords: number;
  /** Never rejects; `false` when it was given up, and with it all that comes after. */
  readonly publish: (group: Group) => Promise<boolean>;
}

export class GroupPublisher {
  readonly #options: GroupPublisherOptions;
  #waiting: Group | undefined;
  #publishing: Promise<void> | undefined;
  #isGivenUp = false;

  constructor(options: GroupPublisherOptions) {
    this.#options = options;
  }

  /** Resolves when there is room for another batch; with `false` when publishing was given up. */
  async add(batch: Batch, outgoing: Outgoing): Promise<boolean> {
    if (this.#waiting) this.#waiting.add(batch, outgoing);
    else this.#waiting = new Group(batch, outgoing);
    this.#publishNext();
    while (this.#publishing && this.#isFull()) await this.#publishing;
    return !this.#isGivenUp;
  }

  /** Resolves when all is published, or given up. */
  async end(): Promise<void> {
    while (this.#publishing) await this.#publishing;
  }

  #isFull(): boolean {
    return this.#waiting?.isFull(this.#options.maxRecords) === true;
  }

  #publishNext(): void {
    const group = this.#waiting;
    if (!group || this.#publishing || this.#isGivenUp) return;
    this.#waiting = undefined;
    this.#publishing = this.#options.publish(group).then(published => {
      this.#publishing = undefined;
      this.#isGivenUp = !published;
      this.#publishNext();
    });
  }
}
