/**
 * Where a jsondown keeps its text: one snapshot, which is replaced as a whole, and journals, which only
 * grow, named by a generation number. A folder or memcached; the text is the same in both.
 *
 * Every method rejects with a `LevelError`: `corrupt` names what is damaged or missing, `unavailable`
 * says that the place cannot be reached or written now, `fenced` that another process has it.
 */

/** A line of stored text. Newlines do not belong to `bytes`. */
export interface StoredLine {
  readonly bytes: Buffer;
  /** Counted from 1. */
  readonly line: number;
  /** The first byte of the line, counted from 0, and the first byte after it and its newline. */
  readonly start: number;
  readonly end: number;
  /** False for a last line without its newline: its writer was cut off. */
  readonly complete: boolean;
}

export interface StoredText {
  /** For messages: the file or item. */
  readonly name: string;
  /** What to say when it is not there though it should be. */
  readonly missing: string;
  /** The lines in their order, some at a time. A part that is missing rejects as corrupt, with its name. */
  lines(): AsyncIterable<readonly StoredLine[]>;
}

export interface JsonStorage {
  /** For messages: where the place is. */
  readonly place: string;

  /**
   * Takes the place for this process until `close` or the process's end, however it ends.
   * @throws LevelError `fenced` when another process has it, `corrupt` when it held a store and is empty
   * now. An Error that says "does not exist" when nothing is there and `create` is false.
   */
  open(create: boolean): Promise<void>;
  /** Gives the place up. Does nothing when it is not open. */
  close(): Promise<void>;

  /** The snapshot, or `undefined` when none was ever written. */
  snapshot(): Promise<StoredText | undefined>;
  /**
   * Replaces the snapshot by `text` at once: after a crash either the old or the new one is there, whole.
   * Durable when resolved. Resolves with the bytes written; stops and rejects when `signal` is aborted.
   */
  replaceSnapshot(generation: number, text: AsyncIterable<string>, signal: AbortSignal): Promise<number>;

  /** The generations of the journals that are there, ascending. */
  journals(): Promise<readonly number[]>;
  journal(generation: number): StoredText;
  /** A new journal that begins with `firstLine`; replaces an unused one of that generation. Durable when resolved. */
  createJournal(generation: number, firstLine: string): Promise<JsonJournal>;
  /** Opens a journal to append after `last`, whose newline is added if it has none; what stands behind it is cut off. */
  resumeJournal(generation: number, last: StoredLine): Promise<JsonJournal>;
  /** Removes a journal; one that is not there is no error. */
  removeJournal(generation: number): Promise<void>;
}

/** A journal that is open for appending. One call at a time. */
export interface JsonJournal {
  readonly bytes: number;
  /**
   * False after a failure that leaves it open what the journal holds. It refuses every later call then,
   * and a new generation has to be begun.
   */
  readonly usable: boolean;
  /**
   * Appends a line, durable when resolved if `sync`, and else safe from a crash of this process only.
   * When it rejects and the journal is `usable`, nothing was appended.
   */
  append(line: string, sync: boolean): Promise<void>;
  /**
   * Rejects when what was written is not there any more, and makes the journal unusable then. Rejects also while
   * there is no room for what was last refused for want of it; in memcached, for a line as the last one was.
   */
  check(): Promise<void>;
  close(): Promise<void>;
}
