/**
 * What lies in the database, and under which names. With MONGODB_COLLECTION `metadata`:
 *
 * - `metadata`: the keys and values, and two markers;
 * - `metadata.journal`: batches by number, and fences;
 * - `metadata.state`: one document, who owns the store.
 */
import type { Collection, Db } from 'mongodb';

/** Sorts before every key (a key is never empty) and holds what the collection is. */
export const LOWER_MARKER = '';
/** Sorts after every key (their code points end at U+00FF). */
export const UPPER_MARKER = '\u0100';

/** A key, or a marker. */
export interface DataDocument {
  readonly _id: string;
  /**
   * Number of the journal up to which the bulk went that wrote this. Every write needs it to be no newer than
   * itself.
   */
  readonly n?: number;
  /** The value. */
  readonly v?: Buffer;
  /** The key was deleted: nobody sees it any more. */
  readonly deleted?: true;
  /**
   * A put of an older number may still come: the document may never be removed, only be marked as deleted.
   */
  readonly exposed?: true;

  /** Markers: the epoch of the owner of the store. */
  readonly epoch?: number;
  /** Markers: every journal entry up to this number is in this collection. */
  readonly applied?: number;
  /** Markers: the id of the store, as in the state document. */
  readonly store?: string;
  /** Markers: grows with every write, also one that is done again. See `claimData`. */
  readonly touched?: number;
}

export interface JournalDocument {
  readonly _id: number;
  /** Id of the writer that answers for the document. */
  readonly by: string;
  /**
   * `batch`: a part of one. `void`: a number that was given up. `fence`: no batch of a former writer follows.
   */
  readonly kind: 'batch' | 'void' | 'fence';
  /** Fences: the epoch of the owner that set it. */
  readonly epoch?: number;
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
  /** How many owners there were. No two have the same. */
  readonly epoch: number;
  /** True once the markers are in the data collection. */
  readonly created: boolean;
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
  readonly data: Collection<DataDocument>;
  readonly journal: Collection<JournalDocument>;
  readonly state: Collection<StateDocument>;

  constructor(db: Db, name: string) {
    this.db = db;
    this.data = db.collection<DataDocument>(name);
    this.journal = db.collection<JournalDocument>(`${name}.journal`);
    this.state = db.collection<StateDocument>(`${name}.state`);
  }

  /** For messages. */
  get place(): string {
    return this.data.namespace;
  }

  /** True when a collection of this store is there, whichever. */
  async hasCollections(): Promise<boolean> {
    const own = [this.data, this.journal, this.state].map(({ collectionName }) => collectionName);
    const collections = await this.db.listCollections({}, { nameOnly: true }).toArray();
    return collections.some(({ name }) => own.includes(name));
  }
}
