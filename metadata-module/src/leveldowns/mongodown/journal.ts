/**
 * The journal: one document per number, written once by an insert, so that a number belongs to whoever was
 * first. A batch counts when all its parts and every number before them are there. Writers send up to
 * `WINDOW` numbers at a time and acknowledge in order.
 *
 * A successor puts a fence at the first number that is missing. The former writer needs that number before it
 * can acknowledge anything that comes after, and finds it taken: so a fence stays for ever (one small
 * document for every owner that did not close). The numbers behind it that the former writer may have sent
 * already count for nothing; the successor goes on `WINDOW` numbers later.
 */
import type { Collection } from 'mongodb';
import type { JournalDocument } from './layout.js';

/** How many numbers a writer may have under way. Part of the format: a fence covers as many. */
export const WINDOW = 8;
/** Bytes of operations in one document, well below the 16 MiB of MongoDB. */
export const PART_BYTES = 8 * 1024 * 1024;

/** Numbers that one command names. */
const CHUNK = 1000;

/** One of several parts of a batch, or the whole. */
export type PartDocument = JournalDocument & { readonly first: number; readonly parts: number };

export class Journal {
  readonly #collection: Collection<JournalDocument>;
  readonly #writer: string;
  readonly #epoch: number;

  /** @param writer this owner: its id, unique for every open, and its epoch */
  constructor(
    collection: Collection<JournalDocument>,
    writer: { readonly id: string; readonly epoch: number },
  ) {
    this.#collection = collection;
    this.#writer = writer.id;
    this.#epoch = writer.epoch;
  }

  get epoch(): number {
    return this.#epoch;
  }

  get writer(): string {
    return this.#writer;
  }

  /**
   * Inserts a part of a batch; a majority has it in its journal when this resolves. Rejects when the number
   * is taken.
   */
  async insertPart(number: number, part: { first: number; parts: number; ops: Buffer }): Promise<void> {
    await this.#collection.insertOne({ _id: number, by: this.#writer, kind: 'batch', ...part });
  }

  async insertVoid(number: number): Promise<void> {
    await this.#collection.insertOne({ _id: number, by: this.#writer, kind: 'void' });
  }

  async insertFence(number: number): Promise<void> {
    await this.#collection.insertOne({ _id: number, by: this.#writer, kind: 'fence', epoch: this.#epoch });
  }

  /** What stands under a number, without its operations. */
  async look(number: number): Promise<JournalDocument | undefined> {
    const options = { projection: { ops: 0 }, readPreference: 'primary' } as const;
    return (await this.#collection.findOne({ _id: number }, options)) ?? undefined;
  }

  /**
   * Writes to a document of this writer again: when it resolves with true, a majority has the document, since
   * it has what came after it. False: it is not this writer's, or not any more.
   */
  async confirm(number: number): Promise<boolean> {
    const result = await this.#collection.updateOne(this.#own(number), { $inc: { confirmed: 1 } });
    return result.matchedCount === 1;
  }

  /** Makes a part that nobody has seen yet count for nothing. False: it is not this writer's any more. */
  async void(number: number): Promise<boolean> {
    const change = { $set: { kind: 'void' }, $unset: { ops: '' }, $inc: { confirmed: 1 } } as const;
    const result = await this.#collection.updateOne(this.#own(number), change);
    return result.matchedCount === 1;
  }

  /** The documents from a number on that a majority has, ascending, without their operations. */
  async scan(from: number): Promise<JournalDocument[]> {
    const options = { projection: { ops: 0 }, ...MAJORITY } as const;
    return this.#collection.find({ _id: { $gte: from } }, { ...options, sort: { _id: 1 } }).toArray();
  }

  /** The documents before a number, of which only the fences are of use. */
  async scanBefore(number: number): Promise<JournalDocument[]> {
    const options = { projection: { ops: 0 }, ...MAJORITY } as const;
    return this.#collection.find({ _id: { $lt: number } }, { ...options, sort: { _id: 1 } }).toArray();
  }

  /** Makes this writer the one that answers for these numbers: nobody else can void them from now on. */
  async seal(numbers: readonly number[]): Promise<void> {
    for (const some of chunks(numbers)) {
      await this.#collection.updateMany(
        { _id: { $in: some } },
        { $set: { by: this.#writer }, $inc: { confirmed: 1 } },
      );
    }
  }

  /** The documents of a range of numbers, whole. */
  read(from: number, to: number): AsyncIterable<JournalDocument> {
    return this.#collection.find({ _id: { $gte: from, $lte: to } }, { ...MAJORITY, sort: { _id: 1 } });
  }

  /** Removes a range of numbers. */
  async removeRange(from: number, to: number): Promise<void> {
    await this.#collection.deleteMany({ _id: { $gte: from, $lte: to } });
  }

  async remove(numbers: readonly number[]): Promise<void> {
    for (const some of chunks(numbers)) await this.#collection.deleteMany({ _id: { $in: some } });
  }

  #own(number: number): { readonly _id: number; readonly by: string } {
    return { _id: number, by: this.#writer };
  }
}

const MAJORITY = { readConcern: { level: 'majority' }, readPreference: 'primary' } as const;

function chunks(numbers: readonly number[]): number[][] {
  const count = Math.ceil(numbers.length / CHUNK);
  return Array.from({ length: count }, (_, i) => numbers.slice(i * CHUNK, (i + 1) * CHUNK));
}
