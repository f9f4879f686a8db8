/**
 * Databases whose keys have versions: `put`, `get` and `del` of one key behave as if they ran one after
 * the other, and what one of them changes is one atomic, durable batch.
 */
import { CatalogueError } from '@zenko-modules/common/errors';
import type { Logger } from '@zenko-modules/common/logger';
import type { Cancellation, ItemIterator } from '@zenko-modules/rpc/service';
import type { CommitQueue } from '../store/commit-queue.js';
import { KeyLock } from '../store/key-lock.js';
import { type Database, type KeyRange, rawRange } from '../store/key-space.js';
import type { TextEntry, EntryIterator } from '../store/entry-iterator.js';
import type { OpenLevel } from '../store/open-level.js';
import type { Recovery } from '../store/recovery.js';
import {
  entryKey,
  type ExpectedEntry,
  isAsExpected,
  type NewEntry,
  swapOperations,
} from './compare-and-swap.js';
import type { Conditions, DeleteOptions, GetOptions, Plan, PutOptions } from './options.js';
import { deleteReadsMaster, planDelete } from './plan-delete.js';
import { planPut, putReadsMaster } from './plan-put.js';
import { type Candidates, planRepair, type Repair } from './plan-repair.js';
import { RepairSchedule } from './repair-schedule.js';
import type { VersionIds } from './version-id.js';
import { nullKey, versionKey, versionRange } from './version-key.js';
import { isPlaceHolder } from './version-value.js';

export interface VersionedDatabasesOptions {
  readonly store: OpenLevel;
  readonly commits: CommitQueue;
  readonly recovery: Recovery;
  readonly versionIds: VersionIds;
  readonly log: Logger;
  /** Until a place holder is repaired without being asked for; 15 s unless a test is in a hurry. */
  readonly repairDelayMs?: number;
}

export class VersionedDatabases {
  readonly #store: OpenLevel;
  readonly #commits: CommitQueue;
  readonly #recovery: Recovery;
  readonly #versionIds: VersionIds;
  readonly #log: Logger;
  readonly #lock = new KeyLock();
  readonly #repairs: RepairSchedule;

  constructor(options: VersionedDatabasesOptions) {
    this.#store = options.store;
    this.#commits = options.commits;
    this.#recovery = options.recovery;
    this.#versionIds = options.versionIds;
    this.#log = options.log;
    this.#repairs = new RepairSchedule(
      (database, key) => this.#repairMaster(database, key),
      options.log,
      options.repairDelayMs,
    );
  }

  /**
   * Durable when it resolves; with the id of the version, for a put that is about one.
   * @param signal a call that has not begun when it is aborted is dropped.
   * @throws CatalogueError PreconditionFailed, nothing changed, when a condition of `options` does not hold.
   */
  async put(
    database: Database,
    key: string,
    value: string,
    options: PutOptions,
    signal?: Cancellation,
  ): Promise<string | undefined> {
    const request = { key, value, options };
    const plan = await this.#change(
      database,
      key,
      signal,
      putReadsMaster(request),
      master => planPut(request, master, () => this.#versionIds.next()),
      options,
    );
    return plan.versionId;
  }

  /** Durable when it resolves, also when there was nothing to delete; with the id of the version that it was about. */
  async del(
    database: Database,
    key: string,
    options: DeleteOptions,
    signal?: Cancellation,
  ): Promise<string | undefined> {
    const request = { key, options };
    const plan = await this.#change(database, key, signal, deleteReadsMaster(request), master => {
      const planned = planDelete(request, master, () => this.#versionIds.next());
      // Now, and not when it is written: a batch that failed may have been applied all the same.
      if (planned.leavesPlaceHolder) this.#repairs.add(database, key);
      return planned;
    });
    return plan.versionId;
  }

  /**
   * Stores `replacements` when every entry of `expected` is as it says, in one durable batch; resolves with whether that
   * was so. Without `replacements` it only says whether it is so, at a moment in which no change of the key is under way.
   */
  async compareAndSwap(
    database: Database,
    key: string,
    expected: readonly ExpectedEntry[],
    replacements: readonly NewEntry[],
  ): Promise<boolean> {
    return this.#lock.run(database.keyOf(key), async () => {
      await this.#recovery.certain();
      for (const entry of expected) {
        const stored = await this.#store.get(database.keyOf(entryKey(key, entry)));
        if (!isAsExpected(stored, entry)) return false;
      }
      const operations = swapOperations(key, replacements);
      if (operations.length > 0) await this.#commits.commit(database, operations);
      return true;
    });
  }

  /**
   * The stored value of the master, or of the version that `options` names.
   * @throws CatalogueError ObjNotFound when there is none.
   */
  async get(database: Database, key: string, options: GetOptions): Promise<string> {
    const value = await this.find(database, key, options);
    if (value === undefined) throw new CatalogueError('ObjNotFound');
    return value;
  }

  /** The same; `undefined` when there is none. */
  async find(database: Database, key: string, { versionId }: GetOptions): Promise<string | undefined> {
    if (versionId !== undefined && versionId !== '') {
      return this.#read(database.keyOf(versionId === 'null' ? nullKey(key) : versionKey(key, versionId)));
    }
    const masterKey = database.keyOf(key);
    const master = this.#store.known(masterKey) ?? (await this.#read(masterKey));
    return master !== undefined && isPlaceHolder(master) ? this.#getNewest(database, key) : master;
  }

  async #read(storeKey: string): Promise<string | undefined> {
    await this.#recovery.readable();
    return this.#store.get(storeKey);
  }

  /** The entries of a database as they are stored, masters and versions, in byte order. */
  list(database: Database, range: KeyRange): Promise<ItemIterator<TextEntry>> {
    return this.listAs(database, range, entry => entry);
  }

  /** The same, each in a form of its own. */
  async listAs<T>(
    database: Database,
    range: KeyRange,
    form: (entry: TextEntry) => T,
  ): Promise<ItemIterator<T>> {
    await this.#recovery.readable();
    return mapped(this.#store.entries(database.rangeOf(range)), ({ key, value }) =>
      form({ key: database.nameOf(key), value }),
    );
  }

  /** The keys of all databases as the store holds them. */
  async listRawKeys(range: KeyRange): Promise<ItemIterator<string>> {
    await this.#recovery.readable();
    return mapped(this.#store.entries(rawRange(range)), ({ key }) => key);
  }

  /** Repairs a master that a process before this one left as a place holder. */
  repairLater(database: Database, key: string): void {
    this.#repairs.add(database, key);
  }

  /** Resolves when no change and no repair is under way. */
  async idle(): Promise<void> {
    await this.#lock.idle();
  }

  /** Resolves when nothing is being changed any more. What waits for its repair is left to the next start. */
  async close(): Promise<void> {
    await this.#repairs.close();
    await this.idle();
  }

  async #change<P extends Plan>(
    database: Database,
    key: string,
    signal: Cancellation | undefined,
    readsMaster: boolean,
    plan: (master: string | undefined) => P,
    conditions: Conditions = UNCONDITIONAL,
  ): Promise<P> {
    const masterKey = database.keyOf(key);
    return this.#lock.run(masterKey, async () => {
      if (signal?.aborted) throw new CatalogueError('ServiceUnavailable', 'the call took too long');
      if (!this.#recovery.isCertain) await this.#recovery.certain();
      if (conditions.ifCurrent !== undefined || conditions.ifEntry !== undefined)
        await this.#refuseUnless(database, key, conditions);
      const planned = plan(readsMaster ? await this.#store.get(masterKey) : undefined);
      if (planned.operations.length > 0) await this.#commits.commit(database, planned.operations, signal);
      return planned;
    });
  }

  /** Under the lock of the key. The other entry has a lock of its own: it may be changing, and is as before or after that. */
  async #refuseUnless(database: Database, key: string, { ifCurrent, ifEntry }: Conditions): Promise<void> {
    if (ifCurrent !== undefined && !isAsExpected(await this.#current(database, key), ifCurrent)) {
      throw new CatalogueError('PreconditionFailed', 'ifCurrent: the key has another value');
    }
    if (ifEntry === undefined) return;
    const stored = await this.#store.get(ifEntry.database.keyOf(ifEntry.key));
    if (!isAsExpected(stored, ifEntry)) {
      throw new CatalogueError('PreconditionFailed', 'ifEntry: the entry is another');
    }
  }

  /** As `find` answers it, under the lock of the key. */
  async #current(database: Database, key: string): Promise<string | undefined> {
    const master = await this.#store.get(database.keyOf(key));
    if (master === undefined || !isPlaceHolder(master)) return master;
    return planRepair(key, await this.#candidates(database, key)).value;
  }

  /** The newest version, answered before the master is repaired with it. */
  #getNewest(database: Database, key: string): Promise<string | undefined> {
    return new Promise((resolve, reject) => {
      this.#lock
        .run(database.keyOf(key), async () => {
          await this.#recovery.certain();
          const repair = await this.#findRepair(database, key);
          if (repair === 'not needed') {
            resolve(await this.#store.get(database.keyOf(key)));
            return;
          }
          resolve(repair.value);
          await this.#commits.commit(database, repair.operations);
        })
        .catch((err: unknown) => {
          reject(err instanceof Error ? err : new Error(String(err)));
          this.#log.warn({ err, db: database.name, key }, 'a deleted master could not be repaired yet');
        });
    });
  }

  #repairMaster(database: Database, key: string): Promise<void> {
    return this.#lock.run(database.keyOf(key), async () => {
      await this.#recovery.certain();
      const repair = await this.#findRepair(database, key);
      if (repair !== 'not needed') await this.#commits.commit(database, repair.operations);
    });
  }

  /** Under the lock of the key: a write that came in between has replaced the place holder, and stays. */
  async #findRepair(database: Database, key: string): Promise<Repair | 'not needed'> {
    const master = await this.#store.get(database.keyOf(key));
    if (master === undefined || !isPlaceHolder(master)) return 'not needed';
    return planRepair(key, await this.#candidates(database, key));
  }

  async #candidates(database: Database, key: string): Promise<Candidates> {
    let nullVersion: string | undefined;
    const range = database.rangeOf({ ...versionRange(key), limit: 2 });
    for await (const entry of this.#store.entries(range)) {
      const versionId = database.nameOf(entry.key).slice(nullKey(key).length);
      if (versionId !== '') return { nullVersion, newest: { versionId, value: entry.value } };
      nullVersion = entry.value;
    }
    return { nullVersion };
  }
}

const UNCONDITIONAL: Conditions = {};

/** The same iterator with another form of its items. */
function mapped<T>(entries: EntryIterator, form: (entry: TextEntry) => T): ItemIterator<T> {
  return {
    next: async () => {
      const step = await entries.next();
      return step.done ? { done: true, value: undefined } : { done: false, value: form(step.value) };
    },
    atHand: () => {
      const entry = entries.atHand();
      return entry && form(entry);
    },
    return: async () => {
      await entries.return();
      return { done: true, value: undefined };
    },
  };
}
