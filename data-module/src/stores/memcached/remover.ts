/** Removes what is left of blobs: those whose upload failed, and the chunks of those that were deleted. */
import type { Logger } from '@zenko-modules/common/logger';
import { LATE_MS, type MemcachedClient } from '@zenko-modules/common/memcached/memcached-client';
import { Leftovers } from '../leftovers.js';
import { TaskWindow } from '../task-window.js';
import { chunkKey, manifestKey } from './item-keys.js';
import type { Unfinished } from './unfinished.js';

const DELETES_AT_ONCE = 16;

/** What there may be of a blob: chunks from 0 on, and its manifest. */
export interface Remains {
  chunks: number;
  hasManifest: boolean;
}

export class Remover {
  readonly #client: MemcachedClient;
  readonly #unfinished: Unfinished;
  readonly #log: Logger;
  readonly #leftovers: Leftovers<{ readonly blob: string; readonly remains: Readonly<Remains> }>;

  constructor(client: MemcachedClient, unfinished: Unfinished, log: Logger) {
    this.#client = client;
    this.#unfinished = unfinished;
    this.#log = log;
    this.#leftovers = new Leftovers({
      remove: ({ blob, remains }) => this.#remove(blob, remains),
      onRemoved: ({ blob }) => unfinished.hasGone(blob),
      lateMs: LATE_MS,
      nameOf: ({ blob }) => blob,
      log,
    });
  }

  /**
   * Removes a blob's remains: the manifest first, then the chunks. Resolves when they
   * are gone, or as soon as that has failed once and will be tried again later. Never rejects.
   * @param passes 2 when some of it may come to its server after it was deleted, on a connection that broke
   */
  remove(blob: string, remains: Readonly<Remains>, { passes }: { passes: 1 | 2 }): Promise<void> {
    const isAny = remains.chunks > 0 || remains.hasManifest;
    return this.#leftovers.remove({ blob, remains }, isAny ? passes : 1);
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
    const left = await this.#leftovers.close();
    if (left > 0) this.#log.warn({ blobs: left }, 'the next start removes what is left of some blobs');
  }

  async #remove(blob: string, { chunks, hasManifest }: Readonly<Remains>): Promise<void> {
    if (hasManifest) await this.#client.delete(manifestKey(blob));
    const window = new TaskWindow(DELETES_AT_ONCE);
    for (let index = 0; index < chunks; index += 1) {
      await window.start(async () => {
        await this.#client.delete(chunkKey(blob, index));
      });
    }
    await window.end();
  }
}
