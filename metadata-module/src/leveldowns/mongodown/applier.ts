/**
 * Brings committed entries into the data collection, in order, behind the backs of the callers.
 *
 * One bulk at a time holds several entries. An entry is applied when its whole bulk is on a majority's disks;
 * until then the overlay shows it and the journal keeps it. A bulk is sent as commands of a bounded size, one
 * after the other: a command that takes longer than its connection is given up for would never be done. One of
 * which it is not certain what became is sent again before any other, as one in doubt (see bulk.ts).
 */
import type { Collection } from 'mongodb';
import type { Logger } from '@zenko-modules/common/logger';
import { bulkOf, moveMarkers, portionsOf, type BulkSpec, type Write } from './bulk.js';
import type { DataDocument } from './layout.js';
import { encodedBytes } from './operations.js';
import type { Entry } from './recovery.js';
import { Backoff } from './retry.js';

/** Operations and bytes of one command, and of one bulk unless a single entry has more. */
const BULK_OPERATIONS = 500;
const BULK_BYTES = 4 * 1024 * 1024;
/**
 * How long entries wait for others to share a bulk. Nobody waits for them, the fewer bulks leave the server more
 * room for what somebody waits for, and of keys that are written again and again only the last value is sent.
 */
const GATHER_MS = 20;
/** What may be committed and not applied yet. */
const BACKLOG_OPERATIONS = 20_000;
const BACKLOG_BYTES = 64 * 1024 * 1024;

export interface ApplierOptions {
  readonly data: Collection<DataDocument>;
  readonly epoch: number;
  /** Every entry up to this number is applied. */
  readonly onApplied: (number: number) => void;
  /** `hasRoom` may have turned true. */
  readonly onRoom: () => void;
  /** The markers are not this owner's, or not there. Called again until that is explained. */
  readonly onLost: () => void;
  readonly log: Logger;
}

/** The markers of this owner's epoch were not found. */
class MarkersLost extends Error {}

export class Applier {
  readonly #options: ApplierOptions;
  readonly #abort = new AbortController();
  #backlog: Entry[] = [];
  #operations = 0;
  #bytes = 0;
  /** Of these, what is in the data already, though the markers do not say so yet. */
  #writtenOperations = 0;
  #writtenBytes = 0;
  #running: Promise<void> | undefined;
  /** Ends the wait for more entries. */
  #gathered: (() => void) | undefined;
  #hurried = false;
  #onIdle: (() => void)[] = [];

  constructor(options: ApplierOptions) {
    this.#options = options;
  }

  get hasRoom(): boolean {
    return (
      this.#operations - this.#writtenOperations < BACKLOG_OPERATIONS &&
      this.#bytes - this.#writtenBytes < BACKLOG_BYTES
    );
  }

  add(entry: Entry): void {
    this.#backlog.push(entry);
    this.#operations += entry.operations.length;
    this.#bytes += entry.bytes;
    if (this.#isBulk) this.#gathered?.();
    this.#start();
  }

  /** Resolves when all is applied, or after `stop`. Nothing waits for company from now on. */
  async idle(): Promise<void> {
    this.#hurried = true;
    this.#gathered?.();
    if (this.#running !== undefined) await new Promise<void>(resolve => this.#onIdle.push(resolve));
  }

  /** No bulk is begun any more. */
  stop(): void {
    this.#abort.abort();
    this.#gathered?.();
  }

  /** True when there is enough for a bulk. */
  get #isBulk(): boolean {
    return this.#operations >= BULK_OPERATIONS || this.#bytes >= BULK_BYTES;
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
    while (!this.#isStopped() && this.#backlog.length > 0) {
      if (!this.#isBulk && !this.#hurried) await this.#gather();
      const entries = this.#nextBulk();
      if (await this.#apply(entries)) this.#done(entries);
    }
  }

  async #gather(): Promise<void> {
    await new Promise<void>(resolve => {
      const timer = setTimeout(resolve, GATHER_MS);
      this.#gathered = () => {
        clearTimeout(timer);
        resolve();
      };
    });
    this.#gathered = undefined;
  }

  /** Resolves with true when the entries are applied, with false after `stop`. */
  async #apply(entries: readonly Entry[]): Promise<boolean> {
    const operations = entries.flatMap(entry => entry.operations);
    const portions = portionsOf(operations, { keys: BULK_OPERATIONS, bytes: BULK_BYTES });
    const inDoubt = entries.some(entry => entry.inDoubt);
    const number = lastNumber(entries);
    const last = portions.pop() ?? [];
    for (const portion of portions) {
      if (!(await this.#writeSurely({ operations: portion, number, inDoubt }, []))) return false;
      this.#writtenOperations += portion.length;
      this.#writtenBytes += portion.reduce((sum, operation) => sum + encodedBytes(operation), 0);
      this.#options.onRoom();
    }
    const markers = moveMarkers(number, this.#options.epoch);
    return this.#writeSurely({ operations: last, number, inDoubt }, markers);
  }

  /** Resolves with true when all is written, with false after `stop`. */
  async #writeSurely(spec: BulkSpec, markers: readonly Write[]): Promise<boolean> {
    const backoff = new Backoff();
    let { inDoubt } = spec;
    while (!this.#isStopped()) {
      try {
        await this.#write({ ...spec, inDoubt }, markers);
        return true;
      } catch (err) {
        if (this.#isStopped()) return false;
        this.#options.log.warn({ err }, 'entries of the journal are applied again');
        if (err instanceof MarkersLost) this.#options.onLost();
      }
      inDoubt = true;
      await backoff.wait(this.#abort.signal);
    }
    return false;
  }

  async #write(spec: BulkSpec, markers: readonly Write[]): Promise<void> {
    const { data } = this.#options;
    const { deletes, puts } = bulkOf(spec);
    if (deletes.length > 0) await data.bulkWrite(deletes, { ordered: true });
    const found = [...puts, ...markers];
    if (found.length === 0) return;
    const { matchedCount, upsertedCount } = await data.bulkWrite(found, { ordered: true });
    if (matchedCount + upsertedCount !== found.length) throw new MarkersLost('the markers are not found');
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

  #done(entries: readonly Entry[]): void {
    this.#backlog.splice(0, entries.length);
    this.#writtenOperations = 0;
    this.#writtenBytes = 0;
    for (const { operations, bytes } of entries) {
      this.#operations -= operations.length;
      this.#bytes -= bytes;
    }
    this.#options.onApplied(lastNumber(entries));
    this.#options.onRoom();
  }
}

function lastNumber(entries: readonly Entry[]): number {
  return entries.at(-1)?.number ?? 0;
}
