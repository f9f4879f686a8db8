/** All that the module keeps over one LevelDOWN: databases with versions, the record log, the deployment's id. */
import type { Logger } from '@zenko-modules/common/logger';
import type { RpcService } from '@zenko-modules/common/rpc/service';
import { refuseUnfinishedCopy } from './copy/copy-state.js';
import type { DiskUsage } from './deployment/disk-usage.js';
import { metadataService } from './services/metadata-service.js';
import { recordLogService } from './services/record-log-service.js';
import { uuidInFolder, uuidInStore } from './deployment/uuid.js';
import type { LevelDown } from './leveldowns/plugin.js';
import { LogReaders } from './record-log/log-readers.js';
import { RecordLog } from './record-log/record-log.js';
import { Retention } from './record-log/retention.js';
import { CommitQueue, type CommitObserver } from './store/commit-queue.js';
import { LevelStore } from './store/level-store.js';
import { MonotonicClock } from './store/monotonic-clock.js';
import { resumeRepairs } from './versioning/lost-repairs.js';
import { VersionIds } from './versioning/version-id.js';
import { VersionedStore } from './versioning/versioned-store.js';

export interface MetadataStoreOptions {
  readonly level: LevelDown;
  readonly log: Logger;
  /** The folder that keeps the deployment's id; without it the store does. */
  readonly uuidFolder?: string | undefined;
  /** Newest records that the log keeps. */
  readonly maxRecords: number;
  readonly observer?: CommitObserver;
  /** Told when another process has taken the store over: this one must end. */
  readonly onFenced?: (err: Error) => void;
  readonly repairDelayMs?: number;
  /** Milliseconds since the epoch. */
  readonly systemTime?: () => number;
}

interface Parts {
  readonly store: LevelStore;
  readonly databases: VersionedStore;
  readonly recordLog: RecordLog;
  readonly readers: LogReaders;
  readonly retention: Retention;
  readonly commits: CommitQueue;
  readonly uuid: string;
}

export class MetadataStore {
  readonly #parts: Parts;

  private constructor(parts: Parts) {
    this.#parts = parts;
  }

  /** Opens the LevelDOWN and all that is kept in it. Rejects with the LevelDOWN's own error when that fails. */
  static async open(options: MetadataStoreOptions): Promise<MetadataStore> {
    const { level, log, uuidFolder, maxRecords, observer, onFenced, repairDelayMs, systemTime } = options;
    const store = await LevelStore.open(level, onFenced);
    try {
      await refuseUnfinishedCopy(key => store.get(key));
      const clock = new MonotonicClock(0, systemTime);
      const recordLog = await RecordLog.open(store, clock);
      const retentionCheck = (): void => retention.check();
      const commits = new CommitQueue(store, recordLog, log, [
        retentionCheck,
        ...(observer ? [observer] : []),
      ]);
      const readers = await LogReaders.open(store, commits);
      const retention = new Retention({ recordLog, readers, commits, maxRecords, log });
      const databases = new VersionedStore({
        store,
        commits,
        versionIds: new VersionIds(clock),
        log,
        ...(repairDelayMs !== undefined && { repairDelayMs }),
      });
      await resumeRepairs(recordLog, databases, log);
      const uuid =
        uuidFolder === undefined ? await uuidInStore(store, commits) : await uuidInFolder(uuidFolder);
      return new MetadataStore({ store, databases, recordLog, readers, retention, commits, uuid });
    } catch (err) {
      await store.close();
      throw err;
    }
  }

  get store(): LevelStore {
    return this.#parts.store;
  }

  get recordLog(): RecordLog {
    return this.#parts.recordLog;
  }

  get databases(): VersionedStore {
    return this.#parts.databases;
  }

  /** What the RPC offers. */
  services(diskUsage: () => Promise<DiskUsage>): readonly RpcService[] {
    return [metadataService({ ...this.#parts, diskUsage }), recordLogService(this.#parts)];
  }

  /** Resolves when a write can be taken now; rejects with the reason. */
  async ready(): Promise<void> {
    await this.#parts.commits.certain();
    await this.#parts.store.ping();
  }

  /** Finishes what is in line, then closes the LevelDOWN. */
  async close(): Promise<void> {
    const { databases, retention, commits, store } = this.#parts;
    await databases.close();
    await retention.close();
    await commits.close();
    await store.close();
  }
}
