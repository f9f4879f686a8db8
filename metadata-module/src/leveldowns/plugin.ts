/**
 * What the metadata module knows of a LevelDOWN: any abstract-leveldown 7 store, made by a plug-in.
 * A LevelDOWN holds everything of one deployment in one ordered key space, and must give an atomic
 * `batch`, durable before its callback when `{ sync: true }`, and iterators in byte order.
 */
import type { AbstractIterator, AbstractLevelDOWN } from 'abstract-leveldown';
import type { Logger } from '@zenko-modules/common/logger';
import type { SettingsOf, SettingsTable } from '@zenko-modules/common/settings';

export interface LevelDownContext<T extends SettingsTable> {
  readonly settings: SettingsOf<T>;
  /** The folder of the metadata module, for stores that keep files. It exists and is writable. */
  readonly folder: string;
  readonly log: Logger;
  /** False for a copy: it waits for no other process that has the store, whatever the settings say. Left out: it can. */
  readonly canStandBy?: boolean;
}

/** A LevelDOWN that we ship. */
export interface LevelDownPlugin<T extends SettingsTable = SettingsTable> {
  /** The value of METADATA_BACKEND that selects it. */
  readonly name: string;
  /** Its own settings, beyond those of the module. */
  readonly settings: T;
  /** Whether what it stores is in files of the module's folder: only the machine that has those can serve it. Left out: no. */
  readonly keepsFiles?: boolean;
  /** The deployment's id is kept in the file `uuid` of the module's folder, beside the store; else in the store. */
  readonly uuidInFolder?: boolean;
  /** Makes the store without opening it. Throws StartError for settings that contradict each other. */
  create(context: LevelDownContext<T>): LevelDown | Promise<LevelDown>;
  /**
   * Damage, one line each, by which `open` would fail, or pass over it without a word and so lose what was acknowledged.
   * Asked before the first `open`; what a crash leaves of a write that was not acknowledged is none.
   */
  readonly findDamage?: (folder: string) => Promise<readonly string[]>;
  /**
   * Makes a store that `findDamage` called damaged one that opens, of what is left of it; called when that is accepted.
   * Resolves with whether there was something to do. It may take as long as all that is stored takes to be read and written.
   */
  readonly salvage?: (folder: string) => Promise<boolean>;
  /** The store's files while no process has them open; `undefined` when there are none that can be read. */
  readonly atRest?: (folder: string) => Promise<StoreAtRest | undefined>;
  /** What an error of the first `open` means to the person who starts the module, in one line; `undefined`: unknown. */
  explain?(err: Error): string | undefined;
}

/** A store whose files no process has open, so that it can be told whether other programs have written to it. */
export interface StoreAtRest {
  /** Goes up with every opening of the store, whatever program opens it. */
  readonly opened: number;
  /** The number of the newest write: it goes up with every one. @throws RangeError for what is damaged */
  lastWrite(): Promise<number>;
  /**
   * What was written last to each key in the ranges, which have no key in common, in no order. There may be older entries of a
   * key too, and deletions are not kept for ever. Throws RangeError for what is damaged.
   */
  entries(ranges: readonly BytesRange[]): AsyncIterable<WrittenEntry>;
}

/** Both ends included. */
export interface BytesRange {
  readonly from: Buffer;
  readonly to: Buffer;
}

export interface WrittenEntry {
  readonly key: Buffer;
  /** `undefined`: the key was deleted. */
  readonly value: Buffer | undefined;
  /** The number of the write. */
  readonly written: number;
}

/** A process that owns a store for which others wait. */
export interface StoreOwner {
  /** Unique for every time that a process comes to own the store. */
  readonly id: string;
  /** Where it serves, as it gave it to `watchOwner`; `undefined` when it does not say so. */
  readonly address: string | undefined;
}

/** Told by a store that one of several processes owns at a time. */
export interface OwnerWatcher {
  /** `open` waits, and so was the owner seen. Told again with every look. */
  owned(owner: StoreOwner): void;
  /** `open` waits, since who owns the store cannot be found out now. Told again with every look. */
  away(err: Error): void;
  /** This process owns the store, and could not say so for so long that another one may have taken it. */
  silent(): void;
  /** Another process owns the store that this one did, as seen without any call: see LEVEL_ERRORS.fenced. Told once. */
  lost(err: Error): void;
}

/** An abstract-leveldown store, with what ours may have beyond it. */
export interface LevelDown extends AbstractLevelDOWN {
  /** What the store can do, as it says itself: `getMany`, that it reads many keys at once. */
  readonly supports?: { readonly getMany?: boolean };
  /** While it is open nobody but this process can change what it holds, so that what was read need not be read again. */
  readonly soleOwner?: boolean;
  /** Resolves when the backend can take a write now; rejects with the reason. Stores without it are ready while open. */
  ping?(): Promise<void>;
  /**
   * Takes from an iterator what it has read and not handed out, between two calls of `next`: keys and values in
   * turn, the last first, to be popped. Stores without it are read entry by entry.
   */
  takeAhead?(iterator: AbstractIterator<unknown, unknown>): string[];
  /** True when `open` waits while another process owns the store. */
  readonly waitsForOwner?: boolean;
  /**
   * Called before `open`, of a store that waits.
   * @param address where this process will serve as the owner, for those who wait then; a text that the store keeps as it is
   */
  watchOwner?(address: string, watcher: OwnerWatcher): void;
  /** Makes an `open` that waits for something reject. Without effect at any other time. */
  abortOpen?(): void;
}

/**
 * `code` of a LevelDOWN's errors that the module treats by name. Others are InternalError, and after one
 * of them from `batch` the module closes the LevelDOWN and opens it again before it goes on.
 */
export const LEVEL_ERRORS = {
  /**
   * The backend cannot be reached or did not answer in time; answered as ServiceUnavailable. A batch that
   * failed so may have been applied: reads that succeed after it show whether it was, and it is not
   * applied later than that.
   */
  unavailable: 'LEVEL_UNAVAILABLE',
  /** A key, a value or a batch is larger than the backend takes; refused before anything was written. */
  tooLarge: 'LEVEL_TOO_LARGE',
  /** Another process owns the store now. Nothing more will be written by this one, which must end. */
  fenced: 'LEVEL_FENCED',
  /** What is stored is damaged or incomplete; the message names where. */
  corrupt: 'LEVEL_CORRUPT',
  /** An iterator was ended by the closing of its store before its reader had seen all. */
  iteratorEnded: 'LEVEL_ITERATOR_ENDED',
} as const;

export type LevelErrorCode = (typeof LEVEL_ERRORS)[keyof typeof LEVEL_ERRORS];

/** An error of a LevelDOWN, with the code by which programs tell it. */
export class LevelError extends Error {
  readonly code: LevelErrorCode;

  constructor(code: LevelErrorCode, message: string, options?: { cause?: unknown }) {
    super(message, options);
    this.name = 'LevelError';
    this.code = code;
  }
}
