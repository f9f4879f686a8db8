/**
 * Data that was replaced, and that nothing refers to any more. What is replaced within a moment is deleted with one
 * call, and nobody waits for it. A process that is killed in that moment leaves blobs behind that nothing names.
 */
import { sleep } from '@zenko-modules/common/deadline';
import { toCatalogueError } from '@zenko-modules/common/errors';
import type { Logger } from '@zenko-modules/common/logger';
import { type DataClient, MAX_DELETED_KEYS } from './data-client.js';

const MOMENT_MS = 50;
/** Who replaces more has to wait. */
const MAX_WAITING = 10_000;
/** A module that is started anew is there again before the last. */
const TRIES = 8;
const FIRST_PAUSE_MS = 500;
const LONGEST_PAUSE_MS = 8000;

export class ReplacedData {
  readonly #data: Pick<DataClient, 'delete'>;
  readonly #log: Logger;
  readonly #stop = new AbortController();
  readonly #waiting: string[] = [];
  #deleting = Promise.resolve();
  #isDeleting = false;

  constructor(data: Pick<DataClient, 'delete'>, log: Logger) {
    this.#data = data;
    this.#log = log;
  }

  /** To be called when it is durable that nothing refers to this data. Resolves at once unless too much of it waits. */
  async remove(locations: readonly { readonly key: string }[]): Promise<void> {
    const keys = locations.map(({ key }) => key);
    if (this.#waiting.length >= MAX_WAITING) return this.#delete(keys, 1);
    this.#waiting.push(...keys);
    if (this.#waiting.length === 0 || this.#isDeleting) return;
    this.#isDeleting = true;
    this.#deleting = this.#deleteAll();
  }

  /** Resolves when what was taken is gone, or was tried once more in vain. */
  async close(): Promise<void> {
    this.#stop.abort();
    await this.#deleting;
  }

  async #deleteAll(): Promise<void> {
    while (this.#waiting.length > 0) {
      if (this.#waiting.length < MAX_DELETED_KEYS) await sleep(MOMENT_MS, this.#stop.signal);
      await this.#delete(this.#waiting.splice(0, MAX_DELETED_KEYS), TRIES);
    }
    this.#isDeleting = false;
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
          const dataKeys = isStopping ? [...keys, ...this.#waiting.splice(0)] : keys;
          this.#log.warn({ err, dataKeys }, 'data that nothing refers to could not be deleted');
          return;
        }
      }
      await sleep(Math.min(FIRST_PAUSE_MS * 2 ** (failures - 1), LONGEST_PAUSE_MS), this.#stop.signal);
    }
  }
}
