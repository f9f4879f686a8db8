/**
 * Removes what is left of blobs: those whose upload failed, and the chunks of those that were deleted. What cannot
 * be removed now, because a server is away, is tried again until it can, and by the next start.
 */
import { sleep, withDeadline } from '@zenko-modules/common/deadline';
import type { Logger } from '@zenko-modules/common/logger';
import { LATE_MS, type MemcachedClient } from '@zenko-modules/common/memcached/memcached-client';
import { chunkKey, manifestKey } from './item-keys.js';
import { TaskWindow } from './task-window.js';
import type { Unfinished } from './unfinished.js';

/** What waits beyond this is left to the next start. */
const MAX_WAITING = 10_000;
const RETRY_MS = [250, 1000, 5000, 30_000] as const;
const DELETES_AT_ONCE = 16;

/** How long closing waits for what is being removed. */
const CLOSE_MS = 2000;

/** What there may be of a blob: chunks from 0 on, and its manifest. */
export interface Remains {
  chunks: number;
  hasManifest: boolean;
}

interface Job {
  readonly blob: string;
  readonly remains: Readonly<Remains>;
  /** How often it is still to be done; and how often that has failed. */
  passes: number;
  tries: number;
}

export class Remover {
  readonly #client: MemcachedClient;
  readonly #unfinished: Unfinished;
  readonly #log: Logger;
  readonly #waiting = new Set<Job>();
  readonly #stop = new AbortController();
  readonly #removing = new Set<Promise<void>>();

  constructor(client: MemcachedClient, unfinished: Unfinished, log: Logger) {
    this.#client = client;
    this.#unfinished = unfinished;
    this.#log = log;
  }

  /**
   * Removes a blob's remains: the manifest first, then the chunks. Resolves when they
   * are gone, or as soon as that has failed once and will be tried again later. Never rejects.
   * @param passes 2 when some of it may come to its server after it was deleted, on a connection that broke
   */
  remove(blob: string, remains: Readonly<Remains>, { passes }: { passes: 1 | 2 }): Promise<void> {
    return this.#keep(this.#attempt({ blob, remains, passes, tries: 0 }));
  }

  /** Removes what earlier processes were killed over. Resolves when it has begun. `abandoned` as in `Unfinished.takeOver`. */
  async sweep(abandoned: readonly string[] = []): Promise<void> {
    const left = await this.#unfinished.takeOver(abandoned);
    if (left.length === 0) return;
    this.#log.warn({ blobs: left.length }, 'removing blobs that were coming or going when the module ended');
    for (const { blob, chunks } of left) void this.remove(blob, { chunks, hasManifest: true }, { passes: 2 });
  }

  /** Waits a moment for what is being removed; leaves the rest to the next start. */
  async close(): Promise<void> {
    this.#stop.abort();
    await withDeadline(Promise.all(this.#removing), CLOSE_MS, 'removing what is left of blobs').catch(
      (err: unknown) => {
        this.#log.warn({ err }, 'the next start removes what is left of some blobs');
      },
    );
    if (this.#waiting.size > 0)
      this.#log.warn({ blobs: this.#waiting.size }, 'the next start removes what is left of some blobs');
  }

  async #attempt(job: Job): Promise<void> {
    const { blob } = job;
    const { chunks, hasManifest } = job.remains;
    try {
      if (hasManifest) await this.#client.delete(manifestKey(blob));
      const window = new TaskWindow(DELETES_AT_ONCE);
      for (let index = 0; index < chunks; index += 1) {
        await window.start(async () => {
          await this.#client.delete(chunkKey(blob, index));
        });
      }
      await window.end();
      job.passes -= 1;
      if (job.passes > 0 && (chunks > 0 || hasManifest)) this.#later(job, LATE_MS);
      else {
        this.#waiting.delete(job);
        await this.#unfinished.hasGone(blob);
      }
    } catch (err) {
      const level = job.tries === 0 ? 'warn' : 'debug';
      this.#log[level]({ err, blob }, 'cannot remove what is left of a blob; it will be tried again');
      this.#later(job, RETRY_MS[Math.min(job.tries, RETRY_MS.length - 1)] ?? 0);
      job.tries += 1;
    }
  }

  #later(job: Job, ms: number): void {
    this.#waiting.add(job);
    const [oldest] = this.#waiting;
    if (this.#waiting.size > MAX_WAITING && oldest !== undefined) this.#waiting.delete(oldest);
    void this.#keep(
      sleep(ms, this.#stop.signal).then(() => {
        if (!this.#stop.signal.aborted && this.#waiting.has(job)) void this.#keep(this.#attempt(job));
      }),
    );
  }

  #keep(work: Promise<void>): Promise<void> {
    const kept = work.finally(() => this.#removing.delete(kept));
    this.#removing.add(kept);
    return kept;
  }
}
