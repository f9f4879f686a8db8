/** The journal's slots: README.md, "A write". */
import type { Collection, Db } from 'mongodb';
import { SLOTS, type Layout, type SlotDocument } from './documents.js';
import { corrupt, overtaken } from './errors.js';
import { decodeOperations, type JournalEntry } from './journal-entry.js';
import { runWrite } from './write-command.js';

/** Bytes of operations in one slot: all slots together hold half a GiB at most. */
export const PART_BYTES = 4 * 1024 * 1024;

const MAJORITY = { readConcern: { level: 'majority' }, readPreference: 'primary', sort: { _id: 1 } } as const;
const NO_BYTES = Buffer.alloc(0);

/** A part of a batch, or the whole. */
export type Part = Pick<SlotDocument, 'first' | 'parts' | 'ops'>;
export type Slot = Omit<SlotDocument, 'ops'>;

/** What is in the journal and not in the data. */
export interface Recovered {
  readonly entry: JournalEntry | undefined;
  /** The number of the next batch. */
  readonly next: number;
}

export class Journal {
  readonly #db: Db;
  readonly #slots: Collection<SlotDocument>;
  readonly #epoch: number;

  constructor({ db, journal }: Layout, epoch: number) {
    this.#db = db;
    this.#slots = journal;
    this.#epoch = epoch;
  }

  /**
   * Writes a part under a number that is greater than all before: a majority has it in its journal when this
   * resolves with true. Done again, it does nothing. False: the slot is another owner's.
   */
  async write(number: number, part: Part): Promise<boolean> {
    const slot = { _id: number % SLOTS, epoch: this.#epoch };
    const { matchedCount } = await this.#slots.updateOne(
      { ...slot, n: { $lt: number } },
      { $set: { n: number, ...part } },
    );
    if (matchedCount === 1) return true;
    // An earlier try was carried out. That this changes the document makes the server wait for the majority.
    const again = await this.#slots.updateOne({ ...slot, n: number }, { $inc: { touched: 1 } });
    return again.matchedCount === 1;
  }

  /** Gives a number up, whatever stands under it, and whatever tries to write it later. */
  async giveUp(number: number): Promise<boolean> {
    const { matchedCount } = await this.#slots.updateOne(
      { _id: number % SLOTS, epoch: this.#epoch, n: { $lte: number } },
      { $set: { n: number, first: number, parts: 0, ops: NO_BYTES }, $inc: { touched: 1 } },
    );
    return matchedCount === 1;
  }

  /**
   * Makes the slots of a store whose data has every batch up to `applied`. Those that are there stay as they are.
   */
  async create(applied: number): Promise<void> {
    const nothing = { epoch: 0, n: applied, first: applied, parts: 0, ops: NO_BYTES, touched: 0 };
    const updates = Array.from({ length: SLOTS }, (_, _id) => ({
      q: { _id },
      u: { $setOnInsert: nothing },
      upsert: true,
    }));
    await runWrite(this.#db, this.#slots, { update: this.#slots.collectionName, updates });
  }

  /** Makes the slots this owner's: nobody of an older epoch writes to one from then on. */
  async fence(): Promise<void> {
    await this.#slots.updateMany(
      { _id: { $gte: 0, $lt: SLOTS }, epoch: { $lte: this.#epoch } },
      { $set: { epoch: this.#epoch }, $inc: { touched: 1 } },
    );
  }

  /**
   * The slots as they are once they are fenced.
   * @throws LevelError `fenced` when one is a newer owner's, `corrupt` when one is missing
   */
  async slots(): Promise<Slot[]> {
    const slots: Slot[] = await this.#slots
      .find({ _id: { $gte: 0, $lt: SLOTS } }, { ...MAJORITY, projection: { ops: 0 } })
      .toArray();
    if (slots.some(({ epoch }) => epoch > this.#epoch)) throw overtaken();
    if (slots.length !== SLOTS) {
      throw corrupt(
        `${this.#slots.namespace} has ${slots.length} of ${SLOTS} documents: the journal is missing`,
      );
    }
    return slots;
  }

  /** What the data does not have: all complete batches behind `applied`, as one. */
  async recover(slots: readonly Slot[], applied: number): Promise<Recovered> {
    const last = Math.max(...slots.map(({ n }) => n));
    const found = slots.filter(slot => slot.n > applied && isInPlace(slot)).sort((a, b) => a.n - b.n);
    for (const [index, { n }] of found.entries()) {
      if (n !== applied + 1 + index) {
        throw corrupt(`the journal has no number ${applied + 1 + index}, and yet it has number ${n}`);
      }
    }
    if (last < applied) {
      throw corrupt(`the journal ends at number ${last}, and yet the data has number ${applied}`);
    }
    if (found.length === 0) return { entry: undefined, next: last + 1 };
    const operations = [];
    let bytes = 0;
    let parts: Buffer[] = [];
    for (const { _id, n, first, parts: count } of found) {
      // A part whose predecessors are not all there belongs to a batch that was given up, or was never complete.
      if (n === first) parts = [];
      if (count === 0 || n !== first + parts.length) continue;
      parts.push(await this.#operationsOf(_id, n));
      if (parts.length < count) continue;
      const payload = Buffer.concat(parts);
      operations.push(...decodeOperations(payload, `journal entry ${n}`));
      bytes += payload.length;
    }
    return { entry: { number: last, operations, bytes }, next: last + 1 };
  }

  async #operationsOf(_id: number, n: number): Promise<Buffer> {
    const slot = await this.#slots.findOne({ _id }, MAJORITY);
    if (slot?.n !== n) throw overtaken();
    return slot.ops;
  }
}

/** The number behind which every number is in the slots. What an owner has applied, as far as it knew, is no less. */
export function numberBehindSlots(slots: readonly Slot[]): number {
  const numbers = new Set(slots.filter(isInPlace).map(({ n }) => n));
  let number = Math.max(...slots.map(({ n }) => n));
  while (number > 0 && numbers.has(number)) number -= 1;
  return number;
}

/** False for a slot that was never written to. */
function isInPlace({ _id, n }: Slot): boolean {
  return n % SLOTS === _id;
}
