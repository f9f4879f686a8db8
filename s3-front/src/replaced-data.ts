/**
 * Data that nothing refers to any more. What is replaced within a moment is deleted with one call, and nobody waits for
 * it; what is being read here goes when it has been read. A process that is killed before leaves blobs behind that
 * nothing names.
 */
import { sleep } from '@zenko-modules/common/deadline';
import { toCatalogueError } from '@zenko-modules/common/errors';
import type { Logger } from '@zenko-modules/common/logger';
import { type DataClient, MAX_DELETED_KEYS } from './data-client.js';
import type { Location } from './object-value.js';

const MOMENT_MS = 50;
/** Who replaces more has to wait. */
const MAX_WAITING = 10_000;
/** A module that is started anew is there again before the last. */
const TRIES = 8;
const FIRST_PAUSE_MS = 500;
const LONGEST_PAUSE_MS = 8000;

type Located = Pick<Location, 'key'>;

export class ReplacedData {
  readonly #data: Pick<DataClient, 'delete'>;
  readonly #log: Logger;
  readonly #stop = new AbortController();
  readonly #waiting = new Set<string>();
  /** Those that are being deleted. */
  readonly #going = new Set<string>();
  /** How many read each blob. */
  readonly #readers = new Map<string, number>();
  /** Those that go when they have been read. */
  readonly #onceRead = new Set<string>();
  #deleting = Promise.resolve();
  #isDeleting = false;

  constructor(data: Pick<DataClient, 'delete'>, log: Logger) {
    this.#data = data;
    this.#log = log;
  }

  /** To be called when it is durable that nothing refers to this data. Resolves at once unless too much of it waits. */
  async remove(locations: readonly Located[]): Promise<void> {
    const keys = this.#unread(locations);
    if (this.#waiting.size >= MAX_WAITING) await this.#deleteGoing(keys, some => this.#delete(some, 1));
    else this.#removeSoon(keys);
  }

  /**
   * The same; resolves when what nobody reads is gone.
   * @throws CatalogueError as `DataClient.delete` does
   */
  async removeNow(locations: readonly Located[], reqUids: string): Promise<void> {
    await this.#deleteGoing(this.#unread(locations), some => this.#data.delete(some, reqUids));
  }

  /**
   * Keeps blobs for a reader until it calls what is returned. `undefined` when some are being deleted: whatever referred
   * to them does no more.
   */
  keepWhileRead(locations: readonly Located[]): (() => void) | undefined {
    const keys = locations.map(({ key }) => key);
    if (keys.some(key => this.#going.has(key))) return undefined;
    for (const key of keys) {
      this.#readers.set(key, (this.#readers.get(key) ?? 0) + 1);
      if (this.#waiting.delete(key)) this.#onceRead.add(key);
    }
    let isDone = false;
    return () => {
      if (isDone) return;
      isDone = true;
      this.#removeSoon(keys.filter(key => this.#isReadToItsEnd(key)));
    };
  }

  /** Resolves when what was taken is gone, or was tried once more in vain. Nobody reads any more. */
  async close(): Promise<void> {
    this.#stop.abort();
    await this.#deleting;
  }

  /** Puts off those that are being read. */
  #unread(locations: readonly Located[]): string[] {
    return locations
      .map(({ key }) => key)
      .filter(key => {
        if (!this.#readers.has(key)) return true;
        this.#onceRead.add(key);
        return false;
      });
  }

  /** One reader less; whether it was the last, of a blob that is to go. */
  #isReadToItsEnd(key: string): boolean {
    const left = (this.#readers.get(key) ?? 0) - 1;
    if (left > 0) this.#readers.set(key, left);
    else this.#readers.delete(key);
    return left <= 0 && this.#onceRead.delete(key);
  }

  #removeSoon(keys: readonly string[]): void {
    for (const key of keys) this.#waiting.add(key);
    if (this.#waiting.size === 0 || this.#isDeleting) return;
    this.#isDeleting = true;
    this.#deleting = this.#deleteAll();
  }

  async #deleteAll(): Promise<void> {
    while (this.#waiting.size > 0) {
      if (this.#waiting.size < MAX_DELETED_KEYS) await sleep(MOMENT_MS, this.#stop.signal);
      const keys = this.#take(MAX_DELETED_KEYS);
      // Readers may have come for all of them.
      if (keys.length > 0) await this.#deleteGoing(keys, some => this.#delete(some, TRIES));
    }
    this.#isDeleting = false;
  }

  /** So many of those that wait. */
  #take(most: number): string[] {
    const keys = [...this.#waiting].slice(0, most);
    for (const key of keys) this.#waiting.delete(key);
    return keys;
  }

  /** Nobody begins to read them meanwhile. */
  async #deleteGoing(
    keys: readonly string[],
    work: (keys: readonly string[]) => Promise<void>,
  ): Promise<void> {
    for (const key of keys) this.#going.add(key);
    try {
      await work(keys);
    } finally {
      for (const key of keys) this.#going.delete(key);
    }
  }

  /** Never rejects. */
  async #delete(keys: readonly string[], tries: number): Promise<void> {
    for (let failures = 1; ; failures += 1) {
      try {
        await this.#data.delete(keys, 'replaced');
        return;
      } catch (err) {
        const isStopping = this.#stop.signal.aborted;
        if (isStopping || failures >= tries || !toCatalogueError(err).retriable) {
          // There is no time to try with the others.
          const dataKeys = isStopping ? [...keys, ...this.#take(Infinity)] : keys;
          this.#log.warn({ err, dataKeys }, 'data that nothing refers to could not be deleted');
          return;
        }
      }
      await sleep(Math.min(FIRST_PAUSE_MS * 2 ** (failures - 1), LONGEST_PAUSE_MS), this.#stop.signal);
    }
  }
}
