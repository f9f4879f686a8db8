/**
 * A jsondown's text in memcached. All items of a store named `metadata`:
 *
 * - `metadata:root` names the snapshot and how many items it has; it is replaced last.
 * - `metadata:<space>:s3:1`, `metadata:<space>:s3:2`, ...: the snapshot of generation 3, cut into items.
 * - `metadata:<space>:j3`, `metadata:<space>:j3:1`, ...: the journal of generation 3, an item a line.
 *
 * Every item of the store can be named from the root and the journals' heads, so one that is missing is
 * noticed and said by name. The space, a random number, keeps the items of a store that was given up from
 * being taken for those of a new one. A marker in the metadata folder says that there is a store.
 */
import { randomBytes } from 'node:crypto';
import path from 'node:path';
import type { Logger } from '@zenko-modules/common/logger';
import type { MemcachedClient } from '@zenko-modules/common/memcached/memcached-client';
import { makeFolder } from '@zenko-modules/common/sync-folder';
import { isThere, orUnavailable } from '../jsondown/files.js';
import { FolderLock } from '../jsondown/folder-lock.js';
import type { JsonJournal, JsonStorage, StoredLine, StoredText } from '../jsondown/storage.js';
import { LEVEL_ERRORS, LevelError } from '../plugin.js';
import { Items } from './items.js';
import { JournalItems } from './journal-items.js';
import { readMarker, writeMarker } from './marker.js';
import { MemcachedJournal } from './memcached-journal.js';
import { recognise } from './recognise.js';
import { findRoot, putRoot, type Root, type SnapshotName } from './root.js';
import { SnapshotItems } from './snapshot-items.js';

export interface MemcachedStorageOptions {
  readonly connect: () => MemcachedClient;
  /** The folder for marker and lock, made when missing. */
  readonly folder: string;
  /** What the keys of all items begin with. */
  readonly name: string;
  /** Open a store that the marker does not know of: the folder was lost, or another one was used. */
  readonly adopt: boolean;
  readonly log: Logger;
}

/** What there is while the storage is open. */
interface Opened {
  readonly client: MemcachedClient;
  readonly items: Items;
  readonly lock: FolderLock;
  readonly space: string;
  root: Root | undefined;
  /** What the marker says, when there is one. */
  complete: boolean | undefined;
  readonly journals: Map<number, JournalItems>;
  /** Snapshots that are to be deleted once another one is named by the root. */
  old: SnapshotName[];
}

export class MemcachedStorage implements JsonStorage {
  readonly #options: MemcachedStorageOptions;
  readonly #writer = randomBytes(8).toString('hex');
  #opened: Opened | undefined;
  #fenced: LevelError | undefined;

  /** Reaches neither folder nor servers before it is opened. */
  constructor(options: MemcachedStorageOptions) {
    this.#options = options;
  }

  get place(): string {
    return `memcached items "${this.#options.name}:…"`;
  }

  async open(create: boolean): Promise<void> {
    const { folder, adopt } = this.#options;
    await orUnavailable(`${folder} cannot be opened`, async () => {
      if (create) await makeFolder(folder);
      else if (!(await isThere(folder))) {
        throw new LevelError(LEVEL_ERRORS.unavailable, `${folder} does not exist`);
      }
    });
    const client = this.#options.connect();
    let lock: FolderLock | undefined;
    try {
      lock = await FolderLock.take(folder);
      const items = new Items(client);
      const markerFile = this.#markerFile;
      const marker = await readMarker(markerFile);
      const rootKey = this.#rootKey;
      const root = await findRoot(items, rootKey);
      const { servers } = client;
      recognise({ marker, markerFile, root, rootKey, servers, adopt, missingRoot: items.missing(rootKey) });
      const space = root?.space ?? marker?.space ?? randomBytes(4).toString('hex');
      const old = root?.previous ?? [];
      this.#opened = {
        client,
        items,
        lock,
        space,
        root,
        complete: marker?.complete,
        journals: new Map(),
        old,
      };
      if (root !== undefined) await this.#mark(true);
      await this.#sweep();
    } catch (err) {
      this.#opened = undefined;
      client.close();
      await lock?.release();
      throw err;
    }
  }

  async close(): Promise<void> {
    const opened = this.#opened;
    this.#opened = undefined;
    opened?.client.close();
    await opened?.lock.release();
  }

  snapshot(): Promise<StoredText | undefined> {
    const { root } = this.#current();
    return Promise.resolve(root && this.#snapshot(root.generation).text(root.items));
  }

  async replaceSnapshot(
    generation: number,
    text: AsyncIterable<string>,
    signal: AbortSignal,
  ): Promise<number> {
    const opened = this.#current();
    const { items, space } = opened;
    const found = await findRoot(items, this.#rootKey);
    const ours = found?.writer === this.#writer;
    if (found !== undefined && !ours && JSON.stringify(found) !== JSON.stringify(opened.root))
      throw this.#fence();
    // An attempt whose answer was lost may have put it there, and even this one.
    if (ours) opened.root = found;
    if (!ours || found.generation !== generation) {
      const written = await this.#snapshot(generation).write(text, signal);
      if (opened.root !== undefined) opened.old.push(snapshotName(opened.root));
      const root = { space, writer: this.#writer, generation, ...written, previous: opened.old };
      opened.old = [...opened.old, snapshotName(root)];
      if (!(await putRoot(items, this.#rootKey, root))) throw this.#fence();
      opened.root = root;
    }
    await this.#mark(true);
    await this.#discardOld();
    return opened.root?.bytes ?? 0;
  }

  async journals(): Promise<readonly number[]> {
    const found: number[] = [];
    // They follow each other without a gap.
    for (let generation = this.#current().root?.generation ?? 1; ; generation += 1) {
      if ((await this.#journal(generation).head()) === undefined) return found;
      found.push(generation);
    }
  }

  journal(generation: number): StoredText {
    const journal = this.#journal(generation);
    const missing = this.#current().items.missing(journal.key);
    return { name: `the journal in memcached (${journal.key})`, missing, lines: () => journal.read() };
  }

  async createJournal(generation: number, firstLine: string): Promise<JsonJournal> {
    if (this.#current().complete === undefined) await this.#mark(false);
    const journal = this.#journal(generation);
    if (!(await journal.create(firstLine, this.#writer))) throw this.#fence();
    return this.#writable(journal, Buffer.byteLength(firstLine) + 1);
  }

  async resumeJournal(generation: number, last: StoredLine): Promise<JsonJournal> {
    const journal = this.#journal(generation);
    if (!(await journal.writeHead(this.#writer))) {
      throw new LevelError(LEVEL_ERRORS.corrupt, this.#current().items.missing(journal.key));
    }
    return this.#writable(journal, last.end);
  }

  async removeJournal(generation: number): Promise<void> {
    const journal = this.#journal(generation);
    // First, so that its missing items are missed by nobody.
    this.#current().journals.delete(generation);
    await journal.remove();
  }

  get #markerFile(): string {
    return path.join(this.#options.folder, 'store.json');
  }

  get #rootKey(): string {
    return `${this.#options.name}:root`;
  }

  #current(): Opened {
    if (this.#fenced !== undefined) throw this.#fenced;
    if (this.#opened === undefined) throw new Error(`${this.place}: not open`);
    return this.#opened;
  }

  #fence(): LevelError {
    this.#fenced ??= new LevelError(
      LEVEL_ERRORS.fenced,
      `another process writes to the store in ${this.place}; this one must end`,
    );
    return this.#fenced;
  }

  #snapshot(generation: number): SnapshotItems {
    const { items, space } = this.#current();
    return new SnapshotItems(items, `${this.#options.name}:${space}:s${generation}`);
  }

  #journal(generation: number): JournalItems {
    const { items, space, journals } = this.#current();
    const journal =
      journals.get(generation) ?? new JournalItems(items, `${this.#options.name}:${space}:j${generation}`);
    journals.set(generation, journal);
    return journal;
  }

  #writable(journal: JournalItems, bytes: number): JsonJournal {
    const { items } = this.#current();
    const keys = (): string[] => {
      const { root, journals } = this.#current();
      const snapshot = root === undefined ? [] : this.#snapshot(root.generation).keys(root.items);
      return [this.#rootKey, ...snapshot, ...[...journals.values()].flatMap(one => [...one.keys()])];
    };
    const writer = this.#writer;
    return new MemcachedJournal({ items, journal, bytes, writer, keys, fence: () => this.#fence() });
  }

  /** Takes down in the folder that there is a store. */
  async #mark(complete: boolean): Promise<void> {
    const opened = this.#current();
    if (opened.complete === complete) return;
    const { space, client } = opened;
    await writeMarker(this.#markerFile, { space, servers: [...client.servers], complete });
    opened.complete = complete;
  }

  /** Deletes what an earlier process did not get to delete, or did not complete. */
  async #sweep(): Promise<void> {
    const { root } = this.#current();
    if (root !== undefined) {
      const first = Math.min(root.generation, ...root.previous.map(({ generation }) => generation));
      for (let generation = first; generation < root.generation; generation += 1) {
        await this.removeJournal(generation);
      }
      await this.#discardOld();
    }
    for (const generation of await this.journals()) {
      if (generation !== root?.generation) await this.#snapshot(generation).removePartial();
    }
  }

  /** Deletes the snapshots that the root has replaced. What cannot be deleted now is later: roots name it. */
  async #discardOld(): Promise<void> {
    const opened = this.#current();
    try {
      for (const { generation, items } of opened.old) {
        if (generation !== opened.root?.generation) await this.#snapshot(generation).remove(items);
      }
      opened.old = [];
    } catch (err) {
      this.#options.log.warn(
        { err, place: this.place },
        'old snapshots could not be deleted from memcached yet',
      );
    }
  }
}

function snapshotName({ generation, items }: SnapshotName): SnapshotName {
  return { generation, items };
}
