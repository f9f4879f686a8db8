/**
 * Blobs in memcached, for data that may die with the cache. A blob is chunks, each an item with a checksum, and a
 * manifest, written last and deleted first (see `item-keys.ts`). Stable storage is the servers' memory: a
 * blob is gone when a server that holds a part of it restarts or evicts it, and then it is an error, never other
 * bytes.
 */
import { mkdir, readdir } from 'node:fs/promises';
import path from 'node:path';
import { Readable } from 'node:stream';
import { sleep } from '@zenko-modules/common/deadline';
import { CatalogueError, messageOf } from '@zenko-modules/common/errors';
import { LATE_MS, MemcachedClient } from '@zenko-modules/common/memcached/memcached-client';
import { requiredServers } from '@zenko-modules/common/memcached/required-servers';
import type { ByteRange, DataStore, DiskUsage } from '../../data-store.js';
import { newBlobKey } from '../blob-key.js';
import { inChunks, streamChunks } from '../chunks.js';
import { BufferCollector } from './buffer-collector.js';
import { chunkKey, manifestKey, PROBE_KEY } from './item-keys.js';
import { chunkCount, chunkLength, type Manifest, readManifest, writeManifest } from './manifest.js';
import { nameMemcachedError } from './memcached-errors.js';
import { MEMCACHED_STORE_SETTINGS } from './memcached-settings.js';
import { type Remains, Remover } from './remover.js';
import { ServerList } from './server-list.js';
import { TaskWindow } from '../task-window.js';
import { Unfinished } from './unfinished.js';
import type { StorePlugin } from '../plugin.js';

/** When chunks of an upload that never came to its end expire, and so the longest time that an upload may take. */
const UPLOAD_EXPIRES_S = 24 * 3600;

/** Of the item by which a server is tried; it is deleted at once, unless the module ends in between. */
const PROBE_EXPIRES_S = 60;

/** Calls without a value that one upload has on their way at once. */
const TOUCHES_AT_ONCE = 16;

const NOTES_FOLDER = 'unfinished';

/** How often a chunk lies in memory, as another lies there until it is collected, and what the sockets hold of a transfer. */
const COPIES = 2;
const SOCKET_BYTES = 256 * 1024;

export const memcachedStore: StorePlugin<typeof MEMCACHED_STORE_SETTINGS> = {
  name: 'memcached',
  settings: MEMCACHED_STORE_SETTINGS,
  servesSeveralWorkers: true,
  transferMemoryBytes: ({ MEMCACHED_CHUNK_BYTES: chunk, MEMCACHED_WINDOW: window }) =>
    chunk * window * COPIES + SOCKET_BYTES,
  async open({ settings, openFolder, log, worker }) {
    const hosts = requiredServers(settings, 'DATA_BACKEND=memcached');
    const folder = await openFolder('data-memcached');
    const client = new MemcachedClient({
      servers: hosts,
      user: settings.MEMCACHED_USER,
      password: settings.MEMCACHED_PASSWORD,
      deadlineMs: settings.MEMCACHED_TIMEOUT_MS,
      maxInFlightPerServer: settings.MEMCACHED_MAX_IN_FLIGHT,
      log,
    });
    const servers = new ServerList({ client, folder, allowReshard: settings.MEMCACHED_ALLOW_RESHARD, log });
    const notes = path.join(folder, notesOf(worker.index));
    try {
      await servers.open();
      await mkdir(notes, { recursive: true });
      const unfinished = await Unfinished.open(notes, log);
      const remover = new Remover(client, unfinished, log);
      await remover.sweep(worker.index === 0 ? await notesOfOthers(folder, worker.count) : []);
      const { MEMCACHED_CHUNK_BYTES: chunkSize, MEMCACHED_WINDOW: window } = settings;
      const store = new MemcachedStore({ client, servers, unfinished, remover, chunkSize, window });
      await store.ping().catch((err: unknown) => {
        log.error(
          { err, reason: messageOf(err) },
          'memcached takes no blobs as it is; the module is not ready',
        );
      });
      return store;
    } catch (err) {
      client.close();
      throw err;
    }
  },
};

/** Each worker has a folder for its notes: one that dies is followed by one that takes over just these. */
function notesOf(worker: number): string {
  return worker === 0 ? NOTES_FOLDER : `${NOTES_FOLDER}-${worker}`;
}

/** The notes of workers that there are no more, when the module starts with fewer. */
async function notesOfOthers(folder: string, count: number): Promise<string[]> {
  return (await readdir(folder))
    .filter(name => Number(/^unfinished-(\d+)$/.exec(name)?.[1] ?? NaN) >= count)
    .map(name => path.join(folder, name));
}

interface MemcachedStoreOptions {
  readonly client: MemcachedClient;
  readonly servers: ServerList;
  readonly unfinished: Unfinished;
  readonly remover: Remover;
  readonly chunkSize: number;
  readonly window: number;
}

class MemcachedStore implements DataStore {
  readonly #client: MemcachedClient;
  readonly #servers: ServerList;
  readonly #unfinished: Unfinished;
  readonly #remover: Remover;
  readonly #chunkSize: number;
  readonly #window: number;
  readonly #collector = new BufferCollector();

  constructor({ client, servers, unfinished, remover, chunkSize, window }: MemcachedStoreOptions) {
    this.#client = client;
    this.#servers = servers;
    this.#unfinished = unfinished;
    this.#remover = remover;
    this.#chunkSize = chunkSize;
    this.#window = window;
  }

  async put(source: Readable, size: number): Promise<string> {
    const blob = newBlobKey();
    const upload: Remains = { chunks: 0, hasManifest: false };
    const manifest = { size, chunkSize: this.#chunkSize };
    try {
      await this.#unfinished.comes({ blob, chunks: chunkCount(manifest) });
      const { sentTwice } = await this.#write(blob, source, upload);
      // One that comes once more after it was told to stay would expire after all.
      if (sentTwice) await sleep(LATE_MS);
      await this.#keep(blob, upload.chunks);
      upload.hasManifest = true;
      const written = await this.#on(manifestKey(blob), key =>
        this.#client.set(key, writeManifest(manifest)),
      );
      // One that comes once more after it was deleted would be there again.
      if (written.sentTwice) await sleep(LATE_MS);
      if (!(await this.#unfinished.hasCome(blob))) {
        throw new CatalogueError(
          'ServiceUnavailable',
          'another module has taken over the folder of this one',
        );
      }
      return blob;
    } catch (err) {
      void this.#remover.remove(blob, upload, { passes: 2 });
      throw nameMemcachedError(err);
    }
  }

  async stat(key: string): Promise<number> {
    return (await this.#named(() => this.#manifest(key))).size;
  }

  async get(key: string, range?: ByteRange): Promise<Readable> {
    return this.#named(async () => {
      const manifest = await this.#manifest(key);
      if (manifest.size === 0) return Readable.from([], { objectMode: false });
      const { start, end } = range ?? { start: 0, end: manifest.size - 1 };
      const first = Math.floor(start / manifest.chunkSize);
      const last = Math.floor(end / manifest.chunkSize);
      const fetch = async (index: number): Promise<Buffer> => {
        const chunk = await this.#chunk(key, manifest, index);
        this.#collector.passed(chunk.length);
        const from = index === first ? start - first * manifest.chunkSize : 0;
        const to = index === last ? end - last * manifest.chunkSize + 1 : chunk.length;
        return chunk.subarray(from, to);
      };
      return streamChunks(fetch, first, last, this.#window);
    });
  }

  async delete(key: string): Promise<void> {
    await this.#named(async () => {
      const chunks = chunkCount(await this.#manifest(key));
      await this.#unfinished.goes({ blob: key, chunks });
      let deleted: boolean;
      try {
        deleted = await this.#on(manifestKey(key), item => this.#client.delete(item));
      } catch (err) {
        // Nobody knows whether it is gone. It was to go, and its chunks must not stay without it.
        void this.#remover.remove(key, { chunks, hasManifest: true }, { passes: 2 });
        throw err;
      }
      await this.#remover.remove(key, { chunks, hasManifest: false }, { passes: 1 });
      if (!deleted) throw new CatalogueError('ObjNotFound');
    });
  }

  async diskUsage(): Promise<DiskUsage> {
    const servers = await this.#named(() => this.#client.usage());
    const total = servers.reduce((sum, { limitBytes }) => sum + limitBytes, 0);
    const free = servers.reduce(
      (sum, { limitBytes, usedBytes }) => sum + Math.max(0, limitBytes - usedBytes),
      0,
    );
    return { available: free, free, total };
  }

  /** All servers must take an item of the size of a chunk: every upload needs every one of them. */
  async ping(): Promise<void> {
    await this.#named(() => Promise.all(this.#client.servers.map((_, server) => this.#tryServer(server))));
  }

  async #tryServer(server: number): Promise<void> {
    await this.#servers.check(server);
    const chunk = Buffer.alloc(this.#chunkSize);
    await this.#client.set(PROBE_KEY, chunk, { expiresInSeconds: PROBE_EXPIRES_S }, server);
    await this.#client.delete(PROBE_KEY, server);
  }

  async close(): Promise<void> {
    await this.#remover.close();
    this.#client.close();
  }

  /**
   * Settles when nothing of it is on its way any more: a chunk that is deleted before it arrives would stay. Resolves
   * with whether a chunk was sent twice, see `MemcachedClient.set`.
   */
  async #write(
    blob: string,
    bytes: AsyncIterable<Buffer>,
    upload: Remains,
  ): Promise<{ readonly sentTwice: boolean }> {
    const window = new TaskWindow(this.#window);
    let sentTwice = false;
    try {
      for await (const chunk of inChunks(bytes, this.#chunkSize)) {
        const key = chunkKey(blob, upload.chunks);
        upload.chunks += 1;
        await window.start(() =>
          this.#on(key, async () => {
            const set = await this.#client.set(key, chunk, { expiresInSeconds: UPLOAD_EXPIRES_S });
            sentTwice ||= set.sentTwice;
            this.#collector.passed(this.#chunkSize);
          }),
        );
      }
    } finally {
      await window.end();
    }
    return { sentTwice };
  }

  /** Tells the chunks to stay; so it also finds those that a server has lost since. */
  async #keep(blob: string, chunks: number): Promise<void> {
    const window = new TaskWindow(TOUCHES_AT_ONCE);
    for (let index = 0; index < chunks; index += 1) {
      await window.start(async () => {
        if (await this.#client.touch(chunkKey(blob, index), 0)) return;
        throw new CatalogueError(
          'ServiceUnavailable',
          `memcached lost chunk ${index} of ${chunks} during the upload`,
        );
      });
    }
    await window.end();
  }

  async #manifest(blob: string): Promise<Manifest> {
    const bytes = await this.#on(manifestKey(blob), key => this.#client.get(key));
    if (bytes === undefined) throw new CatalogueError('ObjNotFound');
    return readManifest(blob, bytes);
  }

  async #chunk(blob: string, manifest: Manifest, index: number): Promise<Buffer> {
    try {
      const chunk = await this.#on(chunkKey(blob, index), key => this.#client.get(key));
      if (chunk?.length === chunkLength(manifest, index)) return chunk;
    } catch (err) {
      throw nameMemcachedError(err);
    }
    throw new CatalogueError(
      'InternalError',
      `chunk ${index} of ${chunkCount(manifest)} of blob ${blob} is lost`,
    );
  }

  /** Works on an item when its server is known to hold our list of servers. */
  async #on<T>(key: string, work: (key: string) => Promise<T>): Promise<T> {
    await this.#servers.agree(this.#client.serverOf(key));
    return work(key);
  }

  async #named<T>(work: () => Promise<T>): Promise<T> {
    try {
      return await work();
    } catch (err) {
      throw nameMemcachedError(err);
    }
  }
}
