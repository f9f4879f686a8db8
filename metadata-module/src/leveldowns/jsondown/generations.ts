/**
 * The journal that is being written, and the snapshots that take the place of older ones.
 *
 * A new generation is begun by making its journal, ending the old journal with a line that names it, and
 * then writing the snapshot of that moment while the new journal already takes batches. The older journals
 * are removed last, so that snapshot and journals together are complete at every moment.
 */
import type { Logger } from '@zenko-modules/common/logger';
import { formatRecord } from './journal-format.js';
import type { LoadedStore, StoreState } from './load.js';
import { formatSnapshot } from './snapshot-format.js';
import type { JsonJournal, JsonStorage } from './storage.js';

export interface GenerationsOptions {
  readonly storage: JsonStorage;
  readonly journal: JsonJournal;
  readonly loaded: Pick<LoadedStore, 'generations' | 'snapshotBatch' | 'snapshotBytes' | 'olderJournalBytes'>;
  readonly journalMinBytes: number;
  readonly log: Logger;
}

export class Generations {
  readonly #storage: JsonStorage;
  readonly #log: Logger;
  readonly #journalMinBytes: number;
  #journal: JsonJournal;
  /** Journals that are needed beside the snapshot, the one being written last. */
  #live: readonly number[];
  #olderJournalBytes: number;
  #snapshotBytes: number;
  /** The last batch that the snapshot holds. */
  #snapshotBatch: number;
  #compactAt: number;
  #compacting: Promise<void> | undefined;
  readonly #stop = new AbortController();

  constructor({ storage, journal, loaded, journalMinBytes, log }: GenerationsOptions) {
    this.#storage = storage;
    this.#log = log;
    this.#journalMinBytes = journalMinBytes;
    this.#journal = journal;
    this.#live = loaded.generations;
    this.#olderJournalBytes = loaded.olderJournalBytes;
    this.#snapshotBytes = loaded.snapshotBytes;
    this.#snapshotBatch = loaded.snapshotBatch;
    this.#compactAt = Math.max(journalMinBytes, loaded.snapshotBytes);
  }

  /** False when it is open what the journal holds, and whether the last line is in it. */
  get usable(): boolean {
    return this.#journal.usable;
  }

  get #newest(): number {
    return this.#live.at(-1) ?? 0;
  }

  /** Appends a line to the journal. After a failure that made the journal unusable, begins anew from `state` first. */
  async append(line: string, sync: boolean, state: StoreState): Promise<void> {
    await this.#ensureUsable(state);
    await this.#journal.append(line, sync);
  }

  /** Rejects when a line could not be appended now. */
  async check(state: StoreState): Promise<void> {
    await this.#ensureUsable(state);
    await this.#journal.check();
  }

  /** Begins a new generation when the journals have grown enough. A failure is logged and tried again later. */
  async compactIfDue(state: StoreState): Promise<void> {
    const bytes = this.#olderJournalBytes + this.#journal.bytes;
    if (this.#compacting !== undefined || bytes < this.#compactAt || !this.#journal.usable) return;
    await this.#compact(state);
  }

  /** Closes the journal, with a snapshot of everything if `complete`; else ends one that is being written. */
  async close(state: StoreState, complete: boolean): Promise<void> {
    if (!complete) this.#stop.abort(new Error('the store is being closed'));
    await this.#compacting;
    if (complete && this.#snapshotBatch !== state.lastBatch && this.#journal.usable) {
      await this.#compact(state);
      await this.#compacting;
    }
    await this.#journal.close();
  }

  async #compact(state: StoreState): Promise<void> {
    try {
      await this.#advance(state);
    } catch (err) {
      this.#putOff(err);
      return;
    }
    this.#compacting = this.#writeSnapshot(state)
      .catch((err: unknown) => this.#putOff(err))
      .finally(() => {
        this.#compacting = undefined;
      });
  }

  #putOff(err: unknown): void {
    this.#compactAt = this.#olderJournalBytes + this.#journal.bytes + this.#journalMinBytes;
    if (this.#stop.signal.aborted) return;
    this.#log.warn(
      { err, place: this.#storage.place },
      'no new snapshot could be written; the journal goes on',
    );
  }

  /** Goes on in a new journal. */
  async #advance(state: StoreState): Promise<void> {
    const { generation, journal } = await this.#createJournal(state);
    try {
      const end = formatRecord({ kind: 'continued', generation, afterBatch: state.lastBatch });
      await this.#journal.append(end, true);
    } catch (err) {
      await journal.close();
      throw err;
    }
    this.#olderJournalBytes += this.#journal.bytes;
    await this.#use(journal, [...this.#live, generation]);
  }

  async #writeSnapshot(state: StoreState): Promise<void> {
    const generation = this.#newest;
    await this.#replaceSnapshot(generation, state);
    const older = this.#live.filter(number => number < generation);
    this.#live = [generation];
    await this.#remove(older);
  }

  async #replaceSnapshot(generation: number, state: StoreState): Promise<void> {
    const { store, lastBatch, map } = state;
    const text = formatSnapshot({ store, generation, lastBatch }, map);
    this.#snapshotBytes = await this.#storage.replaceSnapshot(generation, text, this.#stop.signal);
    this.#snapshotBatch = lastBatch;
    this.#olderJournalBytes = 0;
    this.#compactAt = Math.max(this.#journalMinBytes, this.#snapshotBytes);
  }

  /** What an unusable journal holds is not relied on any more: a snapshot of all that was acknowledged replaces it. */
  async #ensureUsable(state: StoreState): Promise<void> {
    if (this.#journal.usable) return;
    await this.#compacting;
    const { generation, journal } = await this.#createJournal(state);
    try {
      await this.#replaceSnapshot(generation, state);
    } catch (err) {
      await journal.close();
      throw err;
    }
    const older = this.#live;
    await this.#use(journal, [generation]);
    this.#log.warn(
      { place: this.#storage.place },
      'the journal was given up after a failure; a new one was begun',
    );
    await this.#remove(older);
  }

  /** Journals that stay only take room: the next start removes them. */
  async #remove(generations: readonly number[]): Promise<void> {
    try {
      for (const generation of generations) await this.#storage.removeJournal(generation);
    } catch (err) {
      this.#log.warn({ err, place: this.#storage.place }, 'old journals could not be removed yet');
    }
  }

  async #createJournal({
    store,
    lastBatch,
  }: StoreState): Promise<{ generation: number; journal: JsonJournal }> {
    // An attempt that failed has left an unused journal of that number at most, which is replaced.
    const generation = this.#newest + 1;
    const begin = formatRecord({ kind: 'begin', store, generation, afterBatch: lastBatch });
    return { generation, journal: await this.#storage.createJournal(generation, begin) };
  }

  async #use(journal: JsonJournal, live: readonly number[]): Promise<void> {
    const old = this.#journal;
    this.#journal = journal;
    this.#live = live;
    try {
      await old.close();
    } catch (err) {
      this.#log.warn({ err, place: this.#storage.place }, 'an old journal could not be closed');
    }
  }
}
