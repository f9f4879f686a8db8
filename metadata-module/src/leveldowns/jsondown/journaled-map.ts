/** A map over a `JsonStorage`: the data in memory, every change in the journal before it is seen. */
import { randomUUID } from 'node:crypto';
import type { Logger } from '@zenko-modules/common/logger';
import { LEVEL_ERRORS, LevelError } from '../plugin.js';
import { Generations } from './generations.js';
import { applyOperations, formatRecord, type MapOperation } from './journal-format.js';
import { loadStore, type LoadedStore, type StoreState } from './load.js';
import { formatSnapshot } from './snapshot-format.js';
import { SortedMap } from './sorted-map.js';
import type { JsonJournal, JsonStorage } from './storage.js';

/** A line of the journal is one string, and JSON may take six characters for a byte. */
const MAX_BATCH_BYTES = 64 * 2 ** 20;
/** What may wait for its turn; more is refused. */
const MAX_WAITING_BYTES = 256 * 2 ** 20;
/** Up to this size a store leaves a complete snapshot behind when it is closed. */
const SNAPSHOT_AT_CLOSE_BYTES = 64 * 2 ** 20;

export interface JournaledMapOptions {
  /** When nothing is there: make a new store, or reject with "does not exist". */
  readonly createIfMissing: boolean;
  /** Reject when a store is there already. */
  readonly errorIfExists: boolean;
  /** The journals' size from which a new snapshot is written, once they are larger than the last one too. */
  readonly journalMinBytes: number;
  readonly log: Logger;
}

export class JournaledMap {
  readonly #storage: JsonStorage;
  readonly #generations: Generations;
  /** Batches are written one after the other. */
  #last: Promise<void> = Promise.resolve();
  #waitingBytes = 0;
  #state: StoreState;

  private constructor(
    storage: JsonStorage,
    { journalMinBytes, log }: JournaledMapOptions,
    loaded: Omit<LoadedStore, 'last'>,
    journal: JsonJournal,
  ) {
    this.#storage = storage;
    this.#state = loaded.state;
    this.#generations = new Generations({ storage, journal, loaded, journalMinBytes, log });
  }

  /**
   * Opens the store of a storage and holds the storage until `close`.
   * @throws LevelError `corrupt` naming what is damaged, `fenced` when another process has it.
   */
  static async open(storage: JsonStorage, options: JournaledMapOptions): Promise<JournaledMap> {
    await storage.open(options.createIfMissing);
    try {
      const loaded = await loadStore(storage, options.log);
      if (loaded === undefined) return await JournaledMap.#create(storage, options);
      if (options.errorIfExists) throw new Error(`${storage.place}: a store exists (errorIfExists is true)`);
      const journal = await storage.resumeJournal(loaded.generations.at(-1) ?? 0, loaded.last);
      const store = new JournaledMap(storage, options, loaded, journal);
      await store.#generations.compactIfDue(loaded.state);
      return store;
    } catch (err) {
      await storage.close();
      throw err;
    }
  }

  static async #create(storage: JsonStorage, options: JournaledMapOptions): Promise<JournaledMap> {
    if (!options.createIfMissing) {
      throw new Error(`${storage.place}: a store does not exist (createIfMissing is false)`);
    }
    const state = { store: randomUUID(), lastBatch: 0, map: SortedMap.empty };
    const begin = { store: state.store, generation: 1 };
    // The snapshot last: a journal without one is a creation that was not completed, as long as it is unused.
    const firstLine = formatRecord({ kind: 'begin', ...begin, afterBatch: 0 });
    const journal = await storage.createJournal(1, firstLine);
    const text = formatSnapshot({ ...begin, lastBatch: 0 }, state.map);
    try {
      const snapshotBytes = await storage.replaceSnapshot(1, text, new AbortController().signal);
      const loaded = { state, generations: [1], snapshotBytes, snapshotBatch: 0, olderJournalBytes: 0 };
      return new JournaledMap(storage, options, loaded, journal);
    } catch (err) {
      await journal.close();
      throw err;
    }
  }

  /** What is stored at this moment. It never changes; a later moment has another map. */
  get map(): SortedMap {
    return this.#state.map;
  }

  /**
   * False after a batch that failed and may come back at the next start. A `ping` that resolves has ruled
   * that out; nothing should be read before it, since what was read might not hold.
   */
  get certain(): boolean {
    return this.#generations.usable;
  }

  /**
   * Applies the operations in their order, all or none. They are seen by `map` once this has resolved, and are
   * on stable storage then if `sync`.
   * @throws LevelError `tooLarge` before anything was written, `unavailable` when the journal cannot be written.
   */
  async commit(operations: readonly MapOperation[], sync: boolean): Promise<void> {
    const bytes = operations.reduce((sum, operation) => sum + sizeOf(operation), 0);
    if (bytes > MAX_BATCH_BYTES) {
      const message = `a batch of ${bytes} bytes is larger than the ${MAX_BATCH_BYTES} that this store takes`;
      throw new LevelError(LEVEL_ERRORS.tooLarge, message);
    }
    if (this.#waitingBytes + bytes > MAX_WAITING_BYTES) {
      const message = `${this.#waitingBytes} bytes of batches wait to be written already`;
      throw new LevelError(LEVEL_ERRORS.unavailable, message);
    }
    this.#waitingBytes += bytes;
    const turn = this.#last.then(() => this.#write(operations, sync));
    this.#last = turn
      .catch(() => undefined)
      .then(() => {
        this.#waitingBytes -= bytes;
        return this.#generations.compactIfDue(this.#state);
      });
    await turn;
  }

  /** Resolves when a write would be possible now; rejects with the reason. */
  ping(): Promise<void> {
    return this.commit([], true);
  }

  /** Ends what was begun, and gives the storage up. Call it once, and nothing after it. */
  async close(): Promise<void> {
    try {
      await this.#last;
      await this.#generations.close(this.#state, this.map.byteLength <= SNAPSHOT_AT_CLOSE_BYTES);
    } finally {
      await this.#storage.close();
    }
  }

  async #write(operations: readonly MapOperation[], sync: boolean): Promise<void> {
    const { store, lastBatch, map } = this.#state;
    if (operations.length === 0) {
      await this.#generations.check(this.#state);
      return;
    }
    const batch = lastBatch + 1;
    await this.#generations.append(formatRecord({ kind: 'batch', batch, operations }), sync, this.#state);
    this.#state = { store, lastBatch: batch, map: applyOperations(map, operations) };
  }
}

function sizeOf(operation: MapOperation): number {
  return operation.key.length + (operation.type === 'put' ? operation.value.length : 0);
}
