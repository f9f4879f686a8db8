/** All that the module keeps over one LevelDOWN: databases with versions, the record log, the deployment's id. */
import type { Logger } from '@zenko-modules/common/logger';
import { uuidInFolder, uuidInStore } from './deployment/uuid.js';
import type { LevelDown } from './leveldowns/plugin.js';
import { RecordLog } from './record-log/record-log.js';
import { CommitQueue, type CommitObserver } from './store/commit-queue.js';
import { LevelStore } from './store/level-store.js';
import { MonotonicClock } from './store/monotonic-clock.js';
import { VersionIds } from './versioning/version-id.js';
import { VersionedStore } from './versioning/versioned-store.js';

export interface MetadataStoreOptions {
  readonly level: LevelDown;
  readonly log: Logger;
  /** The folder that keeps the deployment's id; without it the store does. */
  readonly uuidFolder?: string | undefined;
  readonly observer?: CommitObserver;
  /** Told when another process has taken the store over: this one must end. */
  readonly onFenced?: (err: Error) => void;
  readonly repairDelayMs?: number;
  /** Milliseconds since the epoch. */
  readonly systemTime?: () => number;
}

export class MetadataStore {
  readonly store: LevelStore;
  readonly databases: VersionedStore;
  readonly recordLog: RecordLog;
  readonly uuid: string;
  readonly #commits: CommitQueue;

  private constructor(parts: {
    store: LevelStore;
    databases: VersionedStore;
    recordLog: RecordLog;
    uuid: string;
    commits: CommitQueue;
  }) {
    this.store = parts.store;
    this.databases = parts.databases;
    this.recordLog = parts.recordLog;
    this.uuid = parts.uuid;
    this.#commits = parts.commits;
  }

  /** Opens the LevelDOWN and all that is kept in it. Rejects with the LevelDOWN's own error when that fails. */
  static async open(options: MetadataStoreOptions): Promise<MetadataStore> {
    const { level, log, uuidFolder, observer, onFenced, repairDelayMs, systemTime } = options;
    const store = await LevelStore.open(level, onFenced);
    try {
      const clock = new MonotonicClock(0, systemTime);
      const recordLog = await RecordLog.open(store, clock);
      const commits = new CommitQueue(store, recordLog, log, observer);
      const versionIds = new VersionIds(clock);
      const databases = new VersionedStore({
        store,
        commits,
        versionIds,
        log,
        ...(repairDelayMs !== undefined && { repairDelayMs }),
      });
      const uuid =
        uuidFolder === undefined ? await uuidInStore(store, commits) : await uuidInFolder(uuidFolder);
      return new MetadataStore({ store, databases, recordLog, uuid, commits });
    } catch (err) {
      await store.close();
      throw err;
    }
  }

  /** Resolves when a write can be taken now; rejects with the reason. */
  async ready(): Promise<void> {
    await this.#commits.certain();
    await this.store.ping();
  }

  /** Finishes what is in line, then closes the LevelDOWN. */
  async close(): Promise<void> {
    await this.databases.close();
    await this.#commits.close();
    await this.store.close();
  }
}
