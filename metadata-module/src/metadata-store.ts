/** All that the module keeps over one LevelDOWN: databases with versions, the record log, the deployment's id. */
import { withDeadline } from '@zenko-modules/common/deadline';
import type { Logger } from '@zenko-modules/common/logger';
import type { RpcService } from '@zenko-modules/rpc/service';
import { refuseUnfinishedCopy } from './copy/copy-state.js';
import type { DiskUsage } from '@zenko-modules/common/disk-usage';
import { metadataService } from './services/metadata-service.js';
import { recordLogService } from './services/record-log-service.js';
import { checkLosses } from './deployment/check-losses.js';
import type { ForeignWrites } from './deployment/foreign-writes.js';
import type { NewestRecord } from './deployment/newest-record.js';
import { uuidInFolder, uuidInStore } from './deployment/uuid.js';
import type { LevelDown, StoreAtRest } from './leveldowns/plugin.js';
import { LogReaders, type ReaderPlace } from './record-log/log-readers.js';
import { ReaderHolders } from './record-log/reader-holders.js';
import { RecordLog } from './record-log/record-log.js';
import { RecordWaiters } from './record-log/record-waiters.js';
import { Retention } from './record-log/retention.js';
import { CommitQueue, type CommitObserver } from './store/commit-queue.js';
import { OpenLevel, type OpenLevelOptions } from './store/open-level.js';
import { MonotonicClock } from './store/monotonic-clock.js';
import { Recovery } from './store/recovery.js';
import { resumeRepairs } from './versioning/lost-repairs.js';
import { VersionIds } from './versioning/version-id.js';
import { VersionedDatabases } from './versioning/versioned-databases.js';

export interface MetadataStoreOptions {
  readonly level: LevelDown;
  readonly log: Logger;
  /** The folder that keeps the deployment's id; without it the store does. */
  readonly uuidFolder?: string | undefined;
  /** The folder with a note of what was acknowledged, of a store that keeps its files there; the others look after their own. */
  readonly noteFolder?: string | undefined;
  /** What another program has written to the store since this module closed it. */
  readonly foreign?: ForeignWrites | undefined;
  /** The store when it is closed, of one whose files tell more than it does. */
  readonly atRest?: (() => Promise<StoreAtRest | undefined>) | undefined;
  /** Start although the store has lost what it acknowledged. */
  readonly acceptLoss?: boolean;
  /** Newest records that the log keeps. */
  readonly maxRecords: number;
  readonly observer?: CommitObserver;
  /** Told when this process has lost the store, to another one or to damage, and must end. */
  readonly onLost?: (err: Error) => void;
  readonly repairDelayMs?: number;
  /** A store that cannot be opened again for so long is lost; a minute unless a test is in a hurry. */
  readonly giveUpMs?: number;
  /** Deadlines of the LevelDOWN's calls, where a test is in a hurry. */
  readonly deadlines?: Pick<OpenLevelOptions, 'batchMs' | 'stepMs' | 'drainMs'>;
  /** Memory for values that were read; see `OpenLevelOptions`. */
  readonly cacheBytes?: number;
  /** Milliseconds since the epoch. */
  readonly systemTime?: () => number;
}

interface Parts {
  readonly store: OpenLevel;
  readonly databases: VersionedDatabases;
  readonly recordLog: RecordLog;
  readonly readers: LogReaders;
  readonly holders: ReaderHolders;
  readonly retention: Retention;
  readonly waiters: RecordWaiters;
  readonly commits: CommitQueue;
  readonly recovery: Recovery;
  readonly uuid: string;
  readonly log: Logger;
  readonly losses: number;
  readonly note: NewestRecord | undefined;
  readonly level: LevelDown;
  readonly atRest: MetadataStoreOptions['atRest'];
}

/** How long `close` waits for what is in line, and then for the LevelDOWN, unless it is told otherwise. */
const CLOSE_MS = 4000;

export class MetadataStore {
  readonly #parts: Parts;
  readonly #stopping = new AbortController();
  readonly #resumed: Promise<void>;
  #closed: Promise<void> | undefined;

  private constructor(parts: Parts) {
    this.#parts = parts;
    this.#resumed = resumeRepairs({ ...parts, signal: this.#stopping.signal });
  }

  /** Opens the LevelDOWN and all that is kept in it. Rejects with the LevelDOWN's own error when that fails. */
  static async open(options: MetadataStoreOptions): Promise<MetadataStore> {
    const {
      level,
      log,
      uuidFolder,
      maxRecords,
      observer,
      onLost,
      repairDelayMs,
      giveUpMs,
      cacheBytes = 0,
    } = options;
    const store = await OpenLevel.open(level, {
      ...options.deadlines,
      cacheBytes,
      ...(onLost && { onLost }),
    });
    try {
      await refuseUnfinishedCopy(key => store.get(key));
      const clock = new MonotonicClock(0, options.systemTime);
      const recordLog = await RecordLog.open(store, clock);
      const recovery = new Recovery({ store, recordLog, log, onLost, giveUpMs });
      const waiters = new RecordWaiters(recordLog);
      const observers: CommitObserver[] = [() => waiters.check(), () => retention.check()];
      if (observer) observers.push(observer);
      const commits = new CommitQueue({ store, recordLog, recovery, log, observers });
      const damagedReaders: string[] = [];
      const onDamaged = (key: string): void => void damagedReaders.push(key);
      const readers = await LogReaders.open(store, commits, onDamaged);
      const holders = await ReaderHolders.open(store, commits, onDamaged);
      const retention = new Retention({ recordLog, readers, commits, maxRecords, log });
      const databases = new VersionedDatabases({
        store,
        commits,
        recovery,
        versionIds: new VersionIds(clock),
        log,
        ...(repairDelayMs !== undefined && { repairDelayMs }),
      });
      const uuid =
        uuidFolder === undefined ? await uuidInStore(store, commits) : await uuidInFolder(uuidFolder);
      const { losses, note } = await checkLosses({
        store,
        recordLog,
        commits,
        uuid,
        noteFolder: options.noteFolder,
        foreign: options.foreign,
        damagedReaders,
        accepted: options.acceptLoss === true,
        log,
      });
      return new MetadataStore({
        store,
        databases,
        recordLog,
        readers,
        holders,
        retention,
        waiters,
        commits,
        recovery,
        uuid,
        log,
        losses,
        note,
        level,
        atRest: options.atRest,
      });
    } catch (err) {
      await store.close();
      throw err;
    }
  }

  get store(): OpenLevel {
    return this.#parts.store;
  }

  get recordLog(): RecordLog {
    return this.#parts.recordLog;
  }

  /** Where the registered readers of the log are. */
  get readers(): readonly ReaderPlace[] {
    const { readers, recordLog } = this.#parts;
    return readers.list(recordLog.last);
  }

  get databases(): VersionedDatabases {
    return this.#parts.databases;
  }

  /** Losses that the start found and was told to accept. */
  get losses(): number {
    return this.#parts.losses;
  }

  /** Resolves when all that a process before this one left to be done has been found. */
  get resumed(): Promise<void> {
    return this.#resumed;
  }

  /** What the RPC offers. */
  services(diskUsage: () => Promise<DiskUsage>): readonly RpcService[] {
    return [metadataService({ ...this.#parts, diskUsage }), recordLogService(this.#parts)];
  }

  /** Resolves when a write can be taken now; rejects with the reason. */
  async ready(): Promise<void> {
    await this.#parts.recovery.certain();
    await this.#parts.store.ping();
  }

  /** Refuses at once what waits for a store that failed: it is not opened again any more. The rest goes on until `close`. */
  stop(): void {
    this.#stopping.abort();
    this.#parts.recovery.stop();
  }

  /**
   * Finishes what is in line, then closes the LevelDOWN. What was acknowledged is on stable storage, so a
   * LevelDOWN that does not answer is left behind after `graceMs`, and told of in the log.
   * @param options see `OpenLevel.close`
   */
  close(graceMs = CLOSE_MS, options: { readonly isLost?: boolean } = {}): Promise<void> {
    this.stop();
    this.#closed ??= this.#close(graceMs, options);
    return this.#closed;
  }

  async #close(graceMs: number, options: { readonly isLost?: boolean }): Promise<void> {
    const { store, log } = this.#parts;
    let isFinished = false;
    try {
      await withDeadline(this.#finish(), graceMs / 2, 'finishing what is in line');
      isFinished = true;
    } catch (err) {
      log.error({ err }, 'what is in line is left behind');
    }
    try {
      await withDeadline(store.close(options), graceMs / 2, 'closing the store');
    } catch (err) {
      log.error({ err }, 'the store was not closed cleanly');
      return;
    }
    if (isFinished && options.isLost !== true) await this.#seal();
  }

  async #seal(): Promise<void> {
    const { note, level, atRest, log } = this.#parts;
    if (atRest === undefined || level.status !== 'closed') return;
    try {
      await note?.seal(atRest);
    } catch (err) {
      log.warn({ err }, 'how the store was closed could not be noted');
    }
  }

  async #finish(): Promise<void> {
    const { databases, retention, commits, note } = this.#parts;
    await this.#resumed;
    await databases.close();
    await retention.close();
    await commits.close();
    await note?.close();
  }
}
