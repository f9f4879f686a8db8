/**
 * Several processes may stand for one reader of the log, of which one at a time works: its holder, for as long as
 * it says so, and until another one takes its place. What it has reached is kept here, where all of them find it.
 *
 * Only the holder may save. So one that was frozen, and goes on when another one holds the reader, takes
 * nothing back of what that has saved.
 */
import { CatalogueError } from '@zenko-modules/common/errors';
import { z } from 'zod';
import type { CommitQueue } from '../store/commit-queue.js';
import { KeyLock } from '../store/key-lock.js';
import { Database } from '../store/key-space.js';
import { parseValue } from '../versioning/version-value.js';
import type { OpenLevel } from '../store/open-level.js';
import { RECORD_LOG_NAME, RECORD_LOGS_DATABASE } from './record.js';

/** Below it, by the reader's name, its holder and its places. Never change the stored form on filled storage. */
export const HOLDERS = new Database([RECORD_LOGS_DATABASE, RECORD_LOG_NAME, 'holders']);
const MAX_READERS = 64;
export const MAX_PLACES = 64;

const storedHolder = z.object({
  holder: z.string(),
  leaseMs: z.number(),
  places: z.record(z.string(), z.string()),
});

type StoredHolder = z.infer<typeof storedHolder>;

interface Held extends StoredHolder {
  /** By the monotonic clock; after a start the holder is given its whole time. */
  readonly renewedAt: number;
}

export interface HoldRequest {
  readonly reader: string;
  readonly holder: string;
  /** Silence after which another process may take the reader; 0 gives it up. */
  readonly leaseMs: number;
}

/** Who holds a reader, and what has been saved for it, by name. */
export interface HoldAnswer {
  readonly holder: string;
  readonly places: Readonly<Record<string, string>>;
}

export class ReaderHolders {
  readonly #commits: CommitQueue;
  readonly #held = new Map<string, Held>();
  readonly #lock = new KeyLock();

  private constructor(commits: CommitQueue) {
    this.#commits = commits;
  }

  /** @param onDamaged told of each key whose value cannot be read: that reader has no holder, and no places */
  static async open(
    store: OpenLevel,
    commits: CommitQueue,
    onDamaged: (key: string) => void,
  ): Promise<ReaderHolders> {
    const holders = new ReaderHolders(commits);
    for await (const { key, value } of store.entries(HOLDERS.rangeOf({}))) {
      const stored = storedHolder.safeParse(parseValue(value));
      if (stored.success)
        holders.#held.set(HOLDERS.nameOf(key), { ...stored.data, renewedAt: performance.now() });
      else onDamaged(key);
    }
    return holders;
  }

  /**
   * Makes `holder` the holder, or says that it still is, unless another one holds the reader. A new holder is
   * stored when it resolves.
   * @throws CatalogueError SlowDown when there are too many readers.
   */
  hold({ reader, holder, leaseMs }: HoldRequest): Promise<HoldAnswer> {
    return this.#lock.run(reader, async () => {
      const held = this.#held.get(reader);
      const isFree = held === undefined || performance.now() - held.renewedAt >= held.leaseMs;
      if (held !== undefined && held.holder !== holder && !isFree) return answerOf(held);
      // Who gives up what is another's already has nothing to say.
      if (held?.holder !== holder && leaseMs === 0) return answerOf(held);
      if (held === undefined && this.#held.size >= MAX_READERS) {
        throw new CatalogueError(
          'SlowDown',
          `reader: ${MAX_READERS} are kept already: let the module forget one`,
        );
      }
      const next = { holder, leaseMs, places: held?.places ?? {} };
      if (held?.holder !== holder) await this.#store(reader, next);
      this.#held.set(reader, { ...next, renewedAt: performance.now() });
      return answerOf(next);
    });
  }

  /**
   * Saves a place under a name, if `holder` holds the reader; on stable storage when it resolves.
   * @returns whether it was saved
   */
  save(reader: string, holder: string, name: string, place: string): Promise<boolean> {
    return this.#lock.run(reader, async () => {
      const held = this.#held.get(reader);
      if (held?.holder !== holder) return false;
      const { leaseMs } = held;
      const places = { ...held.places, [name]: place };
      if (Object.keys(places).length > MAX_PLACES) {
        throw new CatalogueError(
          'InvalidArgument',
          `name: ${MAX_PLACES} places of this reader are kept already`,
        );
      }
      await this.#store(reader, { holder, leaseMs, places });
      this.#held.set(reader, { holder, leaseMs, places, renewedAt: performance.now() });
      return true;
    });
  }

  /** Lets go of who holds `reader`, and of its places; durable when it resolves. One that is not known is none the worse. */
  forget(reader: string): Promise<void> {
    return this.#lock.run(reader, async () => {
      await this.#commits.commitUnlogged([{ type: 'del', key: HOLDERS.keyOf(reader) }]);
      this.#held.delete(reader);
    });
  }

  async #store(reader: string, held: StoredHolder): Promise<void> {
    const { holder, leaseMs, places } = held;
    const value = JSON.stringify({ holder, leaseMs, places });
    await this.#commits.commitUnlogged([{ type: 'put', key: HOLDERS.keyOf(reader), value }]);
  }
}

/** The stored form of places that nobody holds. */
export function placesOnly(places: Readonly<Record<string, string>>): string {
  return JSON.stringify({ holder: '', leaseMs: 0, places: { ...places } } satisfies StoredHolder);
}

function answerOf(held: StoredHolder | undefined): HoldAnswer {
  return { holder: held?.holder ?? '', places: held?.places ?? {} };
}
