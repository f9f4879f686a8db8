/**
 * An open store: the parts put together. Keys are `_id`s here (see key-encoding.ts).
 *
 *     write ──> journal-writer ──commit──> overlay ──> applier ──> data collection
 *                                             │                        │
 *     get, page <─────────── merged ──────────┴────── data-reader ─────┘
 *
 * takeover.ts makes sure, once, that this process is the only one that can do so.
 */
import { withDeadline } from '@zenko-modules/common/deadline';
import { Applier } from './applier.js';
import { DataReader, MarkersChanged, type PageRequest, type ReadSource } from './data-reader.js';
import { corrupt, unavailable } from './errors.js';
import { GetBatcher } from './get-batcher.js';
import { JournalCleaner } from './journal-cleaner.js';
import { JournalWriter } from './journal-writer.js';
import { mergePage, type MergedPage } from './merged-page.js';
import type { Operation } from './operations.js';
import { Overlay } from './overlay.js';
import type { Entry } from './recovery.js';
import { retryFor } from './retry.js';
import { takeOver, type StoreOptions, type Takeover } from './takeover.js';

/** Time for the last words to the server, once nothing is under way. */
const GOODBYE_MS = 1000;

export class MongoStore {
  readonly #options: StoreOptions;
  readonly #own: Takeover;
  readonly #reader: DataReader;
  readonly #gets: GetBatcher;
  readonly #overlay: Overlay;
  readonly #applier: Applier;
  readonly #writer: JournalWriter;
  readonly #cleaner: JournalCleaner;
  #failure: Error | undefined;

  private constructor(options: StoreOptions, own: Takeover) {
    const { timeoutMs, log } = options;
    const { layout, lease, journal, applied, recovered } = own;
    this.#options = options;
    this.#own = own;
    this.#reader = new DataReader(options.readPreference);
    this.#gets = new GetBatcher(ids => this.#readKeys(ids), timeoutMs / 2);
    this.#overlay = new Overlay(applied);
    this.#cleaner = new JournalCleaner(
      journal,
      { inherited: recovered.removable, next: recovered.next, applied },
      log,
    );
    this.#applier = new Applier({
      data: layout.data,
      epoch: lease.epoch,
      onApplied: number => {
        this.#overlay.trim(number);
        this.#cleaner.applied(number);
      },
      onRoom: () => this.#writer.resume(),
      onLost: () => this.#explainMarkers(),
      log,
    });
    this.#writer = new JournalWriter({
      journal,
      next: recovered.next,
      timeoutMs,
      log,
      hasRoom: () => this.#applier.hasRoom,
      onCommit: entry => this.#commit(entry),
      onFailure: err => this.#fail(err),
    });
    if (recovered.entry !== undefined) this.#commit(recovered.entry);
  }

  /** See `takeOver`, also for the errors. */
  static async open(options: StoreOptions): Promise<MongoStore> {
    let lost: Error | undefined;
    let tellLost = (err: Error): void => {
      lost = err;
    };
    const own = await takeOver(options, err => tellLost(err));
    const store = new MongoStore(options, own);
    tellLost = err => store.#fail(err);
    if (lost !== undefined) store.#fail(lost);
    return store;
  }

  /** The id under which this process owns the store. */
  get ownerId(): string {
    return this.#own.lease.id;
  }

  /**
   * All or nothing. When it resolves, the batch is in the journals of a majority, and every read that begins
   * from now on sees it. When it rejects with LevelError `unavailable`, it does not happen, unless this
   * process ends or loses the store at once: then it may. See JournalWriter for the other errors.
   */
  async write(operations: readonly Operation[]): Promise<void> {
    this.#assertUsable();
    await this.#writer.write(operations);
  }

  /**
   * The values of keys, `undefined` for those that are not there: all of one moment. One round trip, which
   * calls at a time share; none when what was written last to all of them is not applied yet.
   */
  async get(ids: readonly string[]): Promise<(Buffer | undefined)[]> {
    await this.#assertOwned();
    const known = ids.map(id => this.#overlay.get(id));
    if (known.every(value => value !== undefined)) return known.map(copyOf);
    const { timeoutMs } = this.#options;
    const values = await retryFor(timeoutMs, 'a look-up', () => this.#gets.get(ids));
    return ids.map(id => copyOf(values.get(id)));
  }

  /** The next entries of a range: all of one moment. One round trip. */
  async page(request: PageRequest): Promise<MergedPage> {
    await this.#assertOwned();
    return retryFor(this.#options.timeoutMs, 'reading a page', () =>
      this.#read(
        source => this.#reader.page(source, request),
        page => mergePage(request, page, this.#overlay),
      ),
    );
  }

  /** Resolves when a majority takes writes from this process now; rejects with the reason. */
  async ping(): Promise<void> {
    this.#assertUsable();
    if (!this.#applier.hasRoom) throw unavailable('too much is committed and not applied yet');
    await retryFor(this.#options.timeoutMs, 'a sign of life', () => this.#own.lease.beat());
  }

  /**
   * Finishes what is under way, if that does not take longer than the timeout, and gives the store up. What
   * was acknowledged stays, applied or not. Resolves with false when others must wait for the lease to end.
   */
  async close(): Promise<boolean> {
    const { lease, client } = this.#own;
    const { timeoutMs, log } = this.#options;
    let released = false;
    try {
      if (this.#failure === undefined) {
        await withDeadline(this.#finish(), timeoutMs, 'finishing what is under way');
      }
    } catch (err) {
      log.warn({ err }, 'closing with work under way');
    }
    const next = this.#writer.isIdle ? this.#writer.next : undefined;
    const isOwner = this.#failure === undefined;
    this.#fail(unavailable('the store is closed'));
    try {
      if (isOwner) await withDeadline(lease.release(next), GOODBYE_MS, 'giving the store up');
      released = true;
    } catch (err) {
      log.warn({ err }, 'the store could not be given up: others must wait for the lease to end');
    }
    await client.close(true);
    return released;
  }

  async #finish(): Promise<void> {
    await this.#writer.idle();
    await this.#applier.idle();
    await this.#cleaner.flush();
  }

  #commit(entry: Entry): void {
    this.#overlay.commit(entry.number, entry.operations);
    this.#applier.add(entry);
  }

  /** What the process remembers is the truth only while it owns the store. */
  async #assertOwned(): Promise<void> {
    this.#assertUsable();
    const { lease } = this.#own;
    if (!lease.isFresh) await retryFor(this.#options.timeoutMs, 'a sign of life', () => lease.beat());
  }

  #assertUsable(): void {
    if (this.#failure !== undefined) throw this.#failure;
  }

  #readKeys(ids: readonly string[]): Promise<ReadonlyMap<string, Buffer>> {
    return this.#read(
      source => this.#reader.keys(source, ids),
      documents => {
        const values = new Map<string, Buffer>();
        for (const { _id, v } of documents) if (v !== undefined) values.set(_id, v);
        for (const id of ids) {
          const newer = this.#overlay.get(id);
          if (newer === null) values.delete(id);
          else if (newer !== undefined) values.set(id, newer);
        }
        return values;
      },
    );
  }

  /** Reads the data and merges the overlay over it, which must not have dropped anything meanwhile. */
  async #read<T, R>(read: (source: ReadSource) => Promise<T>, merge: (found: T) => R): Promise<R> {
    const { layout, lease } = this.#own;
    for (let again = false; ; again = true) {
      this.#assertUsable();
      const hold = this.#overlay.hold();
      try {
        const found = await read({ data: layout.data, epoch: lease.epoch, floor: hold.floor });
        this.#assertUsable();
        return merge(found);
      } catch (err) {
        if (!(err instanceof MarkersChanged)) throw err;
        if (again)
          throw this.#fail(corrupt(`${layout.data.namespace} has lost its markers, or they were changed`));
      } finally {
        hold.release();
      }
      // Another process owns the store, or a primary that is none any more has answered: this tells.
      await lease.beat();
    }
  }

  /** Another process has changed them, most likely: the lease tells. */
  #explainMarkers(): void {
    const { lease, layout } = this.#own;
    lease.beat().then(
      () =>
        this.#options.log.error(
          { collection: layout.place },
          'the markers are not found, yet the store is ours',
        ),
      (err: unknown) => this.#options.log.warn({ err }, 'the markers are not found'),
    );
  }

  /** The first failure is the one that all later calls get. */
  #fail(err: Error): Error {
    this.#failure ??= err;
    this.#writer.stop(this.#failure);
    this.#applier.stop();
    this.#own.lease.stop();
    return this.#failure;
  }
}

/** Callers may change what they get. */
function copyOf(value: Buffer | null | undefined): Buffer | undefined {
  return value === null || value === undefined ? undefined : Buffer.from(value);
}
