/**
 * What lies in the database, and under which names. With MONGODB_COLLECTION `metadata`:
 *
 * - `metadata.state`: one document, who owns the store and which generation its data has.
 * - `metadata.journal`: batches by number, and fences.
 * - `metadata.data.<generation>`: the keys and values. Exactly one such collection has the markers; others
 *   are what late writes of former owners brought to life again, and are dropped at the next open.
 */
import type { Collection, Db } from 'mongodb';

/** Sorts before every key (a key is never empty) and holds what the collection is. */
export const LOWER_MARKER = '';
/** Sorts after every key (their code points end at U+00FF). */
export const UPPER_MARKER = '\u0100';

/** A key and its value, or a marker. */
export interface DataDocument {
  readonly _id: string;
  /** The value. Markers have none. */
  readonly v?: Buffer;
  /** Markers: every journal entry up to this number is in this collection. */
  readonly applied?: number;
  /** Markers: the id of the store, as in the state document. */
  readonly store?: string;
}

export interface JournalDocument {
  readonly _id: number;
  /** Id of the writer that answers for the document. */
  readonly by: string;
  /** `batch`: a part of one. `void`: a number that was given up. `fence`: no batch of a former writer follows. */
  readonly kind: 'batch' | 'void' | 'fence';
  /** The number of the batch's first part, and how many parts it has. */
  readonly first?: number;
  readonly parts?: number;
  /** The operations, or this part of their bytes. */
  readonly ops?: Buffer;
  /** How often the document was written again to see it confirmed by a majority. */
  readonly confirmed?: number;
}

export const STATE_ID = 'state';
export const FORMAT = 1;

export interface Owner {
  /** Unique for every open. */
  readonly id: string;
  readonly host: string;
  readonly pid: number;
}

export interface StateDocument {
  readonly _id: typeof STATE_ID;
  readonly format: number;
  /** The store's id, made once. */
  readonly store: string;
  readonly owner: Owner;
  /** The last generation that an owner claimed. Never used twice. */
  readonly generation: number;
  /** The data is in this generation or a later one that was claimed; 0 before it was ever made. */
  readonly data: number;
  /** Grows with every sign of life of the owner. */
  readonly beat: number;
  /** Silence after which others may take over. */
  readonly leaseMs: number;
  readonly released: boolean;
  /** Left by an owner that closed with nothing under way: the next journal number. */
  readonly next?: number;
}

export class Layout {
  readonly db: Db;
  readonly name: string;
  readonly state: Collection<StateDocument>;
  readonly journal: Collection<JournalDocument>;

  constructor(db: Db, name: string) {
    this.db = db;
    this.name = name;
    this.state = db.collection<StateDocument>(`${name}.state`);
    this.journal = db.collection<JournalDocument>(`${name}.journal`);
  }

  /** For messages. */
  get place(): string {
    return `${this.db.databaseName}.${this.name}`;
  }

  data(generation: number): Collection<DataDocument> {
    return this.db.collection<DataDocument>(this.#dataName(generation));
  }

  async renameData(from: number, to: number): Promise<void> {
    await this.db.renameCollection(this.#dataName(from), this.#dataName(to), { dropTarget: false });
  }

  /** The generations of which there is a collection, markers or not. */
  async dataGenerations(): Promise<number[]> {
    const prefix = this.#dataName('');
    const names = await this.#collectionNames();
    return names
      .filter(name => name.startsWith(prefix) && /^\d+$/.test(name.slice(prefix.length)))
      .map(name => Number(name.slice(prefix.length)));
  }

  /** True when a collection of this store is there, whichever. */
  async hasCollections(): Promise<boolean> {
    const own = [this.state.collectionName, this.journal.collectionName];
    const names = await this.#collectionNames();
    return names.some(name => own.includes(name) || name.startsWith(this.#dataName('')));
  }

  #dataName(generation: number | ''): string {
    return `${this.name}.data.${generation}`;
  }

  async #collectionNames(): Promise<string[]> {
    const collections = await this.db.listCollections({}, { nameOnly: true }).toArray();
    return collections.map(({ name }) => name);
  }
}
