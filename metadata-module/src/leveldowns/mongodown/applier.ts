/**
 * Brings committed entries into the data collection, in order, behind the backs of the callers.
 *
 * One bulk at a time holds the last operation on each key of several entries, and after them the markers with the
 * number of the last entry: a marker is never ahead of the data. An entry is applied when the whole bulk is
 * on a majority's disks; until then the overlay shows it and the journal keeps it. To apply an entry twice, or from
 * the middle of a bulk that was cut off, does no harm, as long as all that follow are applied again too.
 *
 * When it is not certain what became of a bulk, no other is sent to the same generation: the data moves
 * to a new one first, out of reach of what may still be under way.
 */
import type { AnyBulkWriteOperation, Collection } from 'mongodb';
import type { Logger } from '@zenko-modules/common/logger';
import { LOWER_MARKER, UPPER_MARKER, type DataDocument } from './layout.js';
import type { Operation } from './operations.js';
import type { Entry } from './recovery.js';
import { Backoff } from './retry.js';

/** Operations and bytes of one bulk, unless a single entry has more. */
const BULK_OPERATIONS = 500;
const BULK_BYTES = 4 * 1024 * 1024;
/** What may be committed and not applied yet. */
const BACKLOG_OPERATIONS = 20_000;
const BACKLOG_BYTES = 64 * 1024 * 1024;

const MARKERS = [UPPER_MARKER, LOWER_MARKER];

export interface ApplierOptions {
  /** The collection of the present generation. */
  readonly data: () => Collection<DataDocument>;
  /** Moves the data to a new generation. Rejects when that is not possible now, or (the store has failed) ever. */
  readonly moveData: () => Promise<void>;
  /** Every entry up to this number is applied. */
  readonly onApplied: (number: number) => void;
  readonly log: Logger;
}

export class Applier {
  readonly #options: ApplierOptions;
  readonly #abort = new AbortController();
  #backlog: Entry[] = [];
  #operations = 0;
  #bytes = 0;
  #running: Promise<void> | undefined;
  #onIdle: (() => void)[] = [];

  constructor(options: ApplierOptions) {
    this.#options = options;
  }

  get hasRoom(): boolean {
    return this.#operations < BACKLOG_OPERATIONS && this.#bytes < BACKLOG_BYTES;
  }

  add(entry: Entry): void {
    this.#backlog.push(entry);
    this.#operations += entry.operations.length;
    this.#bytes += entry.bytes;
    this.#start();
  }

  /** Resolves when all is applied, or after `stop`. */
  async idle(): Promise<void> {
    if (this.#running !== undefined) await new Promise<void>(resolve => this.#onIdle.push(resolve));
  }

  /** No bulk is begun any more. */
  stop(): void {
    this.#abort.abort();
  }

  #isStopped(): boolean {
    return this.#abort.signal.aborted;
  }

  #start(): void {
    this.#running ??= this.#run().finally(() => {
      this.#running = undefined;
      if (this.#backlog.length > 0 && !this.#isStopped()) this.#start();
      else for (const resolve of this.#onIdle.splice(0)) resolve();
    });
  }

  async #run(): Promise<void> {
    const backoff = new Backoff();
    let inDoubt = false;
    while (!this.#isStopped() && this.#backlog.length > 0) {
      const entries = this.#nextBulk();
      try {
        if (inDoubt) await this.#options.moveData();
        inDoubt = true;
        await this.#apply(entries);
        inDoubt = false;
        backoff.reset();
      } catch (err) {
        if (this.#isStopped()) return;
        this.#options.log.warn({ err }, 'applying is tried again, in a new generation');
        await backoff.wait(this.#abort.signal);
        continue;
      }
      this.#done(entries);
    }
  }

  #nextBulk(): Entry[] {
    let count = 0;
    let operations = 0;
    let bytes = 0;
    for (const entry of this.#backlog) {
      operations += entry.operations.length;
      bytes += entry.bytes;
      if (count > 0 && (operations > BULK_OPERATIONS || bytes > BULK_BYTES)) break;
      count += 1;
    }
    return this.#backlog.slice(0, count);
  }

  async #apply(entries: readonly Entry[]): Promise<void> {
    const last = new Map<string, Operation>();
    for (const { operations } of entries)
      for (const operation of operations) last.set(operation.key, operation);
    const puts: AnyBulkWriteOperation<DataDocument>[] = [];
    const dels: AnyBulkWriteOperation<DataDocument>[] = [];
    for (const operation of last.values()) {
      const filter = { _id: operation.key };
      if (operation.type === 'del') dels.push({ deleteOne: { filter } });
      else puts.push({ replaceOne: { filter, replacement: { v: operation.value }, upsert: true } });
    }
    const applied = entries.at(-1)?.number ?? 0;
    const markers = MARKERS.map(_id => ({ updateOne: { filter: { _id }, update: { $set: { applied } } } }));
    // Deletes before puts: then the puts and the markers are one command.
    const result = await this.#options.data().bulkWrite([...dels, ...puts, ...markers], { ordered: true });
    if (result.matchedCount + result.upsertedCount !== puts.length + markers.length) {
      throw new Error('the markers are not in the data collection any more');
    }
  }

  #done(entries: readonly Entry[]): void {
    this.#backlog.splice(0, entries.length);
    for (const { operations, bytes } of entries) {
      this.#operations -= operations.length;
      this.#bytes -= bytes;
    }
    const number = entries.at(-1)?.number;
    if (number !== undefined) this.#options.onApplied(number);
  }
}
