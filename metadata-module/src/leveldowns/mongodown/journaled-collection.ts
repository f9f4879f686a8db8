/** The parts of an open store put together. Keys are `_id`s here. */
import { withDeadline } from '@zenko-modules/common/deadline';
import { Applier } from './applier.js';
import { DataWriter } from './data-writer.js';
import { DataReader, MarkersChanged, type PageRequest, type ReadSource } from './data-reader.js';
import type { DataDocument } from './documents.js';
import { corrupt, isFenced, unavailable } from './errors.js';
import { GetBatcher, type KeysRead } from './get-batcher.js';
import type { JournalEntry, JournalOperation } from './journal-entry.js';
import { JournalWriter } from './journal-writer.js';
import { LatePuts } from './late-puts.js';
import { mergePage, type MergedPage } from './merged-page.js';
import { Overlay } from './overlay.js';
import { retryFor } from './retry.js';
import { closeClient } from './connection.js';
import { takeOver, type StoreOptions, type Takeover } from './takeover.js';

/** Time for the last words to the server, once nothing is under way. */
const GOODBYE_MS = 1000;

export class JournaledCollection {
  readonly #options: StoreOptions;
  readonly #own: Takeover;
  readonly #reader: DataReader;
  readonly #gets: GetBatcher;
  readonly #overlay: Overlay;
  readonly #applier: Applier;
  readonly #writer: JournalWriter;
  readonly #late: LatePuts;
  readonly #stopped = new AbortController();
  #failure: Error | undefined;
  /** What was applied last has this turn. Its number may be one that a former owner left in the markers. */
  #appliedTurn = 0;

  private constructor(options: StoreOptions, own: Takeover) {
    const { timeoutMs, log } = options;
    const { layout, lease, journal, applied, recovered, turn, store } = own;
    this.#options = options;
    this.#own = own;
    this.#reader = new DataReader(options.readPreference);
    this.#gets = new GetBatcher(ids => this.#readKeys(ids), timeoutMs / 2);
    this.#overlay = new Overlay(applied);
    const { epoch } = lease;
    const { signal } = this.#stopped;
    this.#late = new LatePuts(layout.data, lease, own.late, log);
    const noteLate = (late: number): Promise<void> => this.#late.note(late);
    const onLost = (): void => this.#explainMarkers();
    const dataWriter = new DataWriter({ layout, epoch, store, turn, noteLate, signal, onLost, log });
    this.#applier = new Applier({
      writer: dataWriter,
      onApplied: number => {
        this.#appliedTurn = dataWriter.turn;
        this.#overlay.trim(number);
        this.#writer.resume(number);
      },
      onRoom: () => this.#writer.resume(),
      signal,
    });
    this.#writer = new JournalWriter({
      journal,
      next: recovered.next,
      applied,
      timeoutMs,
      log,
      hasRoom: () => this.#applier.hasRoom,
      onCommit: entry => this.#commit(entry),
      onFailure: err => this.#fail(err),
    });
    if (recovered.entry !== undefined) this.#commit(recovered.entry);
  }

  /** See `takeOver`, also for the errors. */
  static async open(options: StoreOptions): Promise<JournaledCollection> {
    let lost: Error | undefined;
    let tellLost = (err: Error): void => {
      lost = err;
    };
    const own = await takeOver(options, err => tellLost(err));
    const store = new JournaledCollection(options, own);
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
  async write(operations: readonly JournalOperation[]): Promise<void> {
    this.#assertUsable();
    await this.#writer.write(operations);
  }

  /**
   * The values of keys, `undefined` for those that are not there. One round trip, which calls at a time share, and all
   * of one moment, unless they are more than a reply holds; none when what was written last to all of them is not
   * applied yet.
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
    await retryFor(this.#options.timeoutMs, 'a sign of life', () => this.#own.lease.prove());
  }

  /**
   * Finishes what is under way, if that does not take longer than the timeout, and gives the store up. What
   * was acknowledged stays, applied or not. Resolves with false when others must wait for the lease to end.
   */
  async close(): Promise<boolean> {
    const { lease, client } = this.#own;
    const { timeoutMs, log } = this.#options;
    let [settled, released] = [false, false];
    try {
      if (this.#failure === undefined) {
        await withDeadline(this.#finish(), timeoutMs, 'finishing what is under way');
        settled = true;
      }
    } catch (err) {
      log.warn({ err }, 'closing with work under way');
    }
    const isOwner = !isFenced(this.#failure);
    this.#fail(unavailable('the store is closed'));
    try {
      if (isOwner) await withDeadline(lease.release(settled), GOODBYE_MS, 'giving the store up');
      released = true;
    } catch (err) {
      log.warn({ err }, 'the store could not be given up: others must wait for the lease to end');
    }
    await closeClient(client, log);
    return released;
  }

  async #finish(): Promise<void> {
    await this.#writer.idle();
    await this.#applier.idle();
  }

  #commit(entry: JournalEntry): void {
    this.#overlay.commit(entry);
    this.#applier.add(entry);
  }

  /** What the process remembers is the truth only while it owns the store. */
  async #assertOwned(): Promise<void> {
    this.#assertUsable();
    const { lease } = this.#own;
    if (!lease.isFresh) await retryFor(this.#options.timeoutMs, 'a sign of life', () => lease.prove());
  }

  #assertUsable(): void {
    if (this.#failure !== undefined) throw this.#failure;
  }

  #readKeys(ids: readonly string[]): Promise<KeysRead> {
    return this.#read(
      source => this.#reader.keys(source, ids),
      ({ documents, last }) => {
        const values = new Map<string, Buffer>();
        const unread = new Set<string>();
        for (const { _id, v } of documents) if (v !== undefined) values.set(_id, v);
        for (const id of ids) {
          const newer = this.#overlay.get(id);
          if (newer === null) values.delete(id);
          else if (newer !== undefined) values.set(id, newer);
          else if (last !== undefined && id > last) unread.add(id);
        }
        return { values, unread };
      },
    );
  }

  /** Reads the data and merges the overlay over it, which must not have dropped anything meanwhile. */
  async #read<T, R>(read: (source: ReadSource) => Promise<T>, merge: (found: T) => R): Promise<R> {
    const { layout, lease } = this.#own;
    for (let again = false; ; again = true) {
      this.#assertUsable();
      const hold = this.#overlay.hold();
      const turn = this.#appliedTurn;
      try {
        const isLate = (document: DataDocument): boolean => this.#late.isLate(document);
        const found = await read({ data: layout.data, epoch: lease.epoch, floor: hold.floor, turn, isLate });
        this.#assertUsable();
        if (hold.isValid) return merge(found);
        again = false;
        continue;
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
    if (this.#failure !== undefined) return this.#failure;
    this.#failure = err;
    this.#writer.stop(err);
    this.#stopped.abort();
    this.#own.lease.stop();
    // No call may come that would hear of it.
    if (isFenced(err)) this.#options.watcher?.lost(err);
    return err;
  }
}

/** Callers may change what they get. */
function copyOf(value: Buffer | null | undefined): Buffer | undefined {
  return value === null || value === undefined ? undefined : Buffer.from(value);
}
