/**
 * Readers of the log that have made themselves known: what one of them has not read is not pruned.
 *
 * A reader registers by naming itself in `readRecords`. With each read it says, by `startSeq`, that it has
 * done with everything before. That is kept in the store, a little late: a restart remembers too little of
 * what was read, never too much.
 */
import { CatalogueError } from '@zenko-modules/common/errors';
import { z } from 'zod';
import type { CommitQueue } from '../store/commit-queue.js';
import { Database } from '../store/key-space.js';
import { parseValue } from '../versioning/version-value.js';
import type { OpenLevel } from '../store/open-level.js';
import { RECORD_LOG_NAME, RECORD_LOGS_DATABASE } from './record.js';

/** Below it, by name, which record each needs next. Never change the stored form on filled storage. */
export const READERS = new Database([RECORD_LOGS_DATABASE, RECORD_LOG_NAME, 'readers']);
const MAX_READERS = 64;
/** A reader's place is stored again when it is this many records further. */
const STORE_EVERY = 1000;

const storedReader = z.object({ nextSeq: z.number().int().min(0) });

interface Place {
  /** The first record that the reader may still need. */
  nextSeq: number;
  /** What the store says of it. */
  storedSeq: number;
}

export interface ReaderPlace {
  readonly reader: string;
  /** The first record that the reader may still need. */
  readonly nextSeq: number;
  /** Records from there on. */
  readonly lag: number;
}

export class LogReaders {
  readonly #commits: CommitQueue;
  readonly #places = new Map<string, Place>();

  private constructor(commits: CommitQueue) {
    this.#commits = commits;
  }

  /** @param onDamaged told of each key whose value cannot be read: that reader is not known */
  static async open(
    store: OpenLevel,
    commits: CommitQueue,
    onDamaged: (key: string) => void,
  ): Promise<LogReaders> {
    const readers = new LogReaders(commits);
    for await (const { key, value } of store.entries(READERS.rangeOf({}))) {
      const stored = storedReader.safeParse(parseValue(value));
      if (!stored.success) onDamaged(key);
      else {
        const { nextSeq } = stored.data;
        readers.#places.set(READERS.nameOf(key), { nextSeq, storedSeq: nextSeq });
      }
    }
    return readers;
  }

  /** The reader that is furthest behind, and the first record that it may still need. */
  slowest(): { readonly reader: string; readonly nextSeq: number } | undefined {
    let slowest: { reader: string; nextSeq: number } | undefined;
    for (const [reader, { nextSeq }] of this.#places) {
      if (slowest === undefined || nextSeq < slowest.nextSeq) slowest = { reader, nextSeq };
    }
    return slowest;
  }

  /** Each reader, by name. @param last the newest record */
  list(last: number): ReaderPlace[] {
    return [...this.#places]
      .map(([reader, { nextSeq }]) => ({ reader, nextSeq, lag: Math.max(0, last + 1 - nextSeq) }))
      .sort((a, b) => (a.reader < b.reader ? -1 : 1));
  }

  /**
   * Registers `reader`, or notes where it is now: it needs nothing before `nextSeq` any more.
   * From the call on nothing at or after `nextSeq` is pruned; durable when it resolves, for a new reader.
   * @throws CatalogueError SlowDown when there are too many readers.
   */
  async note(reader: string, nextSeq: number): Promise<void> {
    const place = this.#places.get(reader);
    if (place === undefined) {
      if (this.#places.size >= MAX_READERS) {
        throw new CatalogueError(
          'SlowDown',
          `reader: ${MAX_READERS} are registered: let the module forget one`,
        );
      }
      this.#places.set(reader, { nextSeq, storedSeq: Infinity });
    } else {
      place.nextSeq = nextSeq;
      if (nextSeq >= place.storedSeq && nextSeq < place.storedSeq + STORE_EVERY) return;
    }
    await this.#commits.commitUnlogged([
      { type: 'put', key: READERS.keyOf(reader), value: JSON.stringify({ nextSeq }) },
    ]);
    const noted = this.#places.get(reader);
    if (noted) noted.storedSeq = nextSeq;
  }

  /** Lets go of what `reader` has not read; durable when it resolves. One that is not known is none the worse. */
  async forget(reader: string): Promise<void> {
    this.#places.delete(reader);
    await this.#commits.commitUnlogged([{ type: 'del', key: READERS.keyOf(reader) }]);
  }
}
