/**
 * The log of every committed change, numbered 1, 2, 3, … Records are written in the same batch as the changes
 * that they tell of, so their order is the order of commits.
 *
 * This daemon leaves no number out; another one that wrote the volume before may have, and a damaged store
 * loses some. A reader gets past them all the same, see `read`.
 */
import type { KeyRange } from '../store/key-space.js';
import type { ItemIterator } from '@zenko-modules/rpc/service';
import type { EntryIterator } from '../store/entry-iterator.js';
import type { TextEntry, OpenLevel, TextOperation } from '../store/open-level.js';
import { LEVEL_ERRORS, LevelError } from '../leveldowns/plugin.js';
import type { MonotonicClock } from '../store/monotonic-clock.js';
import {
  DAMAGED_ITEM,
  type DamagedItem,
  foreignKey,
  type KeyOperation,
  type LogItem,
  parseRecord,
  recordKey,
  RECORD_LOG,
  recordValue,
  seqIn,
  seqOf,
} from './record.js';

/** Changes of one database that are committed together. */
export interface Change {
  /** The database's name, as the log shows it. */
  readonly db: string;
  readonly operations: readonly KeyOperation[];
  /** The request that caused them. */
  readonly reqUids?: string | undefined;
}

/** Which records to read; without `startSeq` from the first, without `endSeq` up to the last. */
export interface RecordRange {
  readonly startSeq?: number | undefined;
  readonly endSeq?: number | undefined;
  /** How many records at most. */
  readonly limit?: number | undefined;
}

export interface RecordRead {
  /** First and last sequence number that the read covers; `null` when it covers none. */
  readonly info: { readonly start: number | null; readonly end: number | null };
  /**
   * One item per sequence number, from `start` on. Fewer than up to `end` when a number is missing: the items
   * end before it, and a read that begins with it starts after the gap.
   */
  readonly log: ItemIterator<LogItem | DamagedItem>;
}

/** Keys that are none of a record's: a log with more of them is no log. */
const MAX_FOREIGN = 1000;

export class RecordLog {
  readonly #foreign = new Set<string>();
  readonly #store: OpenLevel;
  readonly #clock: MonotonicClock;
  #first = 1;
  #last = 0;
  /** See `numberOnFrom`. */
  #given = 0;

  private constructor(store: OpenLevel, clock: MonotonicClock) {
    this.#store = store;
    this.#clock = clock;
  }

  /** The log as the store holds it; moves `clock` past its last record. */
  static async open(store: OpenLevel, clock: MonotonicClock): Promise<RecordLog> {
    const log = new RecordLog(store, clock);
    await log.recover();
    return log;
  }

  /** Sequence number of the oldest record that is kept; `last + 1` when there is none. */
  get first(): number {
    return this.#first;
  }

  /** Sequence number of the newest committed record, 0 before the first. */
  get last(): number {
    return this.#last;
  }

  /** Keys of the log that are none of a record's, as far as they were met with. */
  get foreignKeys(): readonly string[] {
    return [...this.#foreign];
  }

  /** The newest number that was given to a record, which may be lost. */
  get given(): number {
    return Math.max(this.#last, this.#given);
  }

  /** Numbers up to `seq` were given to records that are lost, and are not given again: readers will see a gap. */
  numberOnFrom(seq: number): void {
    this.#given = Math.max(this.#given, seq);
  }

  /**
   * Reads from the store which records there are, after a start or a batch whose outcome is not known.
   * @throws LevelError LEVEL_CORRUPT when the store holds less than was committed before.
   */
  async recover(): Promise<void> {
    const newest = await this.#edge({ reverse: true });
    const oldest = await this.#edge({});
    const last = newest ? seqOf(newest.key) : 0;
    if (last < this.#last) {
      const lost = `records ${last + 1} to ${this.#last} of the log, which were acknowledged, are not in the store any more`;
      throw new LevelError(LEVEL_ERRORS.corrupt, lost);
    }
    this.#last = last;
    this.#first = oldest ? seqOf(oldest.key) : 1;
    for await (const { item } of this.backwards(last, () => undefined)) {
      if (this.#clock.passed(Date.parse(item.timestamp))) return;
    }
  }

  /** Sequence number of the oldest record at or after `seq`; `last + 1` when there is none. */
  async firstFrom(seq: number): Promise<number> {
    const found = await this.#edge({ gte: RECORD_LOG.nameOf(recordKey(seq)) });
    return found ? seqOf(found.key) : this.#last + 1;
  }

  /** The records of `changes`, numbered on from the last one that was given a number. */
  recordsOf(changes: readonly Change[]): TextOperation[] {
    const timestamp = new Date(this.#clock.now()).toISOString();
    let seq = this.given;
    return changes.flatMap(({ db, operations, reqUids }) =>
      operations.map((operation): TextOperation => {
        seq += 1;
        return { type: 'put', key: recordKey(seq), value: recordValue(db, operation, timestamp, reqUids) };
      }),
    );
  }

  /** Counts `records` more records: they have been committed. */
  committed(records: number): void {
    if (records > 0) this.#last = this.given + records;
  }

  /** Hides records before `seq` from readers: they are about to be deleted. */
  dropBefore(seq: number): void {
    this.#first = Math.max(this.#first, seq);
  }

  /**
   * Reads committed records from the first that is kept at or after `startSeq`. The iterator of `log` must
   * be read to its end or returned.
   * @param onDamaged told of each record that cannot be read; a `DamagedItem` stands in its place.
   */
  async read(
    { startSeq = 0, endSeq = Infinity, limit = Infinity }: RecordRange,
    onDamaged: (err: unknown) => void = () => undefined,
  ): Promise<RecordRead> {
    const from = Math.max(startSeq, this.#first);
    const upTo = Math.min(endSeq, this.#last);
    if (from > upTo || limit < 1) return NOTHING;
    const entries = this.#store.entries({
      gte: Buffer.from(recordKey(from)),
      lte: Buffer.from(recordKey(upTo)),
      ...(limit !== Infinity && { limit }),
    });
    for (;;) {
      const first = await entries.next();
      if (first.done) return NOTHING;
      const start = seqIn(first.value.key);
      if (start === undefined) onDamaged(new LevelError(LEVEL_ERRORS.corrupt, foreignKey(first.value.key)));
      else {
        return {
          info: { start, end: Math.min(upTo, start + limit - 1) },
          log: new LogItems(first.value, entries, onDamaged),
        };
      }
    }
  }

  /** Records from number `upTo` on downwards; one that is damaged is passed over, and told of. */
  async *backwards(
    upTo: number,
    onDamaged: (err: unknown) => void,
  ): AsyncGenerator<{ readonly seq: number; readonly item: LogItem }, void, undefined> {
    const range = { gte: Buffer.from(recordKey(0)), lte: Buffer.from(recordKey(upTo)), reverse: true };
    for await (const { key, value } of this.#store.entries(range)) {
      const seq = seqIn(key);
      if (seq === undefined) {
        this.#noteForeign(key);
        continue;
      }
      let item: LogItem;
      try {
        item = parseRecord(key, value);
      } catch (err) {
        onDamaged(err);
        continue;
      }
      yield { seq, item };
    }
  }

  /** The first record of a range. */
  async #edge(range: KeyRange): Promise<TextEntry | undefined> {
    for await (const entry of this.#store.entries(RECORD_LOG.rangeOf(range))) {
      if (seqIn(entry.key) !== undefined) return entry;
      this.#noteForeign(entry.key);
    }
    return undefined;
  }

  #noteForeign(key: string): void {
    if (this.#foreign.size >= MAX_FOREIGN) throw new LevelError(LEVEL_ERRORS.corrupt, foreignKey(key));
    this.#foreign.add(key);
  }
}

const NOTHING: RecordRead = {
  info: { start: null, end: null },
  log: { next: () => Promise.resolve({ done: true, value: undefined }) },
};

/**
 * Entries of the store as items. A reader counts items to know where it stands, so the items end before a
 * number that is missing (pruned meanwhile, or never written by another daemon); its next read begins after it.
 */
class LogItems implements ItemIterator<LogItem | DamagedItem> {
  readonly #entries: EntryIterator;
  readonly #onDamaged: (err: unknown) => void;
  /** Read, and not handed out. */
  #held: TextEntry | undefined;
  #next: number;

  constructor(first: TextEntry, entries: EntryIterator, onDamaged: (err: unknown) => void) {
    this.#entries = entries;
    this.#onDamaged = onDamaged;
    this.#held = first;
    this.#next = seqOf(first.key);
  }

  async next(): Promise<IteratorResult<LogItem | DamagedItem, undefined>> {
    for (;;) {
      const value = this.atHand();
      if (value !== undefined) return { done: false, value };
      if (this.#held !== undefined) return this.return();
      const step = await this.#entries.next();
      if (step.done) return this.return();
      this.#held = step.value;
    }
  }

  /** `undefined` also where the items end before a number that is missing. */
  atHand(): LogItem | DamagedItem | undefined {
    for (;;) {
      const entry = (this.#held ??= this.#entries.atHand());
      if (entry === undefined) return undefined;
      const seq = seqIn(entry.key);
      if (seq !== undefined && seq !== this.#next) return undefined;
      this.#held = undefined;
      if (seq === undefined) {
        this.#onDamaged(new LevelError(LEVEL_ERRORS.corrupt, foreignKey(entry.key)));
        continue;
      }
      this.#next += 1;
      return this.#parse(entry);
    }
  }

  async return(): Promise<IteratorResult<LogItem | DamagedItem, undefined>> {
    this.#held = undefined;
    await this.#entries.return();
    return { done: true, value: undefined };
  }

  #parse({ key, value }: TextEntry): LogItem | DamagedItem {
    try {
      return parseRecord(key, value);
    } catch (err) {
      this.#onDamaged(err);
      return DAMAGED_ITEM;
    }
  }
}
