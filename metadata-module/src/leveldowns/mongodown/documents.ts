/** The documents of a store, and their collections: README.md, "The documents". */
import type { Collection, Db } from 'mongodb';

/** Sorts before every key (a key is never empty). */
export const LOWER_MARKER = '';
/** Sorts after every key (their code points end at U+00FF). */
export const UPPER_MARKER = '\u0100';
export const MARKERS = [UPPER_MARKER, LOWER_MARKER] as const;

/** A key, or a marker. */
export interface DataDocument {
  readonly _id: string;
  /** Turn of the command that wrote it. */
  readonly n?: number;
  /** The value. */
  readonly v?: Buffer;

  /** Markers: the epoch of the owner of the store. */
  readonly epoch?: number;
  /** Markers: every batch up to this number is in the data. */
  readonly applied?: number;
  /** Markers: the id of the store, as in the state document. */
  readonly store?: string;
  /** Markers: the last command that was carried out to its end. */
  readonly turn?: number;
  /** Grows with every claim: a server need not wait for a majority when a write changes nothing. */
  readonly touched?: number;
}

/** Slots of the journal. Part of the format. */
export const SLOTS = 128;

export interface SlotDocument {
  /** 0 to SLOTS - 1: the number of what it holds, modulo SLOTS. */
  readonly _id: number;
  /** The epoch of the only owner that may write to it. */
  readonly epoch: number;
  /** Number of what it holds. 0: nothing yet. */
  readonly n: number;
  /** The number of the batch's first part, and how many parts it has. 0: the number was given up. */
  readonly first: number;
  readonly parts: number;
  /** The operations of the batch, or this part of their bytes. */
  readonly ops: Buffer;
  /** See `DataDocument.touched`. */
  readonly touched: number;
}

export const STATE_ID = 'state';
export const FORMAT = 2;

/** Ranges of turns: the first of each as its name, and the last. */
export type LateTurns = Readonly<Record<string, number>>;

export interface Owner {
  /** Unique for every open. */
  readonly id: string;
  readonly host: string;
  readonly pid: number;
  /** Where it serves, for those who stand by and have clients to pass on. */
  readonly address?: string;
}

export interface StateDocument {
  readonly _id: typeof STATE_ID;
  readonly format: number;
  /** The store's id, made once. */
  readonly store: string;
  readonly owner: Owner;
  /** How many owners there were. No two have the same. */
  readonly epoch: number;
  /** True once the markers and the slots are there. */
  readonly created: boolean;
  /** Grows with every sign of life of the owner. */
  readonly beat: number;
  /** Silence after which others may take over. */
  readonly leaseMs: number;
  readonly released: boolean;
  /** Turns of commands whose puts may come late: what carries one as its `n` counts for nothing. */
  readonly late?: LateTurns;
  /** Left by an owner that closed: none of its commands was unanswered. */
  readonly settled?: true;
  /** Format 1, left by an owner that closed with nothing under way: the next journal number. */
  readonly next?: number;
}

export class Layout {
  readonly db: Db;
  readonly data: Collection<DataDocument>;
  readonly journal: Collection<SlotDocument>;
  readonly state: Collection<StateDocument>;

  constructor(db: Db, name: string) {
    this.db = db;
    this.data = db.collection<DataDocument>(name);
    this.journal = db.collection<SlotDocument>(`${name}.journal`);
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
