/**
 * The journal of the disk store: small blobs and deletions are on stable storage when they are in it, by one synced write for all
 * that come at once. Their files are written as well before anyone is told, but without a sync; the volume is synced as a whole now
 * and then, after which the journal's files can go. JOURNAL.md says what is durable when.
 */
import path from 'node:path';
import { CatalogueError, messageOf } from '@zenko-modules/common/errors';
import type { Logger } from '@zenko-modules/common/logger';
import { StartError } from '@zenko-modules/common/start-error';
import type { WorkerPlace } from '../../plugin.js';
import { GroupCommit } from '../../group-commit.js';
import { encodeRecord, recordBytes } from '../../record-format.js';
import type { BlobChecksums } from '../checksums/blob-checksums.js';
import { lacksRoom } from '../disk-errors.js';
import { blobFile, JOURNAL_FOLDER } from '../disk-layout.js';
import type { FileCalls } from '../file-calls.js';
import type { Volume } from '../volume.js';
import { belongsTo } from '../worker-files.js';
import { ActiveFile } from './active-file.js';
import { Applier, type Outcome } from './applier.js';
import { EndedFiles } from './ended-files.js';
import { listJournal } from './journal-files.js';
import { takeOver } from './take-over.js';

/** Keys of other stores, which can be in a volume by `data:copy`, fit into no record. */
const JOURNAL_KEY = /^[\da-f]{40}$/;
const MAX_BATCH_BYTES = 1024 * 1024;
/** More than this in line goes the other way. */
const MAX_WAITING_BYTES = 8 * 1024 * 1024;
/** Deletions that are to be entered yet. What is more than that may come back after a crash, under a key that nobody knows. */
const MAX_OWED = 10_000;
/** After a failure everything goes the other way for so long. */
const PAUSE_MS = 1000;

const MAX_FILE_BYTES = 32 * 1024 * 1024;
/** What waits for a sync of the volume at most; from then on everything goes the other way. */
const MAX_UNSYNCED_BYTES = 256 * 1024 * 1024;
/**
 * The same of files, which are open: while one waits, such as for room, those after it do. A start gives each a longer name, for which a
 * full disk has room in the first block of their folder only.
 */
const MAX_UNSYNCED_FILES = 32;
const MAX_AGE_MS = 10_000;
const NO_DATA = Buffer.alloc(0);

export interface JournalOptions {
  readonly volume: Volume;
  readonly calls: FileCalls;
  readonly worker: WorkerPlace;
  readonly uploadPrefix: string;
  readonly checksums: BlobChecksums;
  readonly log: Logger;
}

type Kind = 'blob' | 'deletion';

interface Entry {
  readonly kind: Kind;
  readonly key: string;
  readonly record: Buffer;
  readonly bytes: number;
  readonly resolve: (done: boolean) => void;
  readonly reject: (err: Error) => void;
}

export class Journal {
  readonly #options: JournalOptions;
  readonly #folder: string;
  readonly #applier: Applier;
  readonly #ended: EndedFiles;
  readonly #timer: NodeJS.Timeout;
  readonly #entries = new GroupCommit<Entry>({
    maxBytes: MAX_BATCH_BYTES,
    write: batch => this.#writeBatch(batch),
  });
  #lastNumber: number;
  #active: ActiveFile | undefined;
  /** Ended, but a batch may still be on its way into one of them. */
  readonly #unfinished: ActiveFile[] = [];
  #syncing: Promise<void> | undefined;
  readonly #owed = new Set<string>();
  /** Takes what is owed when the disk has refused something, and the journal takes nothing else any more. */
  #owedFile: ActiveFile | undefined;
  #notingOwed: Promise<void> = Promise.resolve();
  #hasFolder = false;
  #hasFailed = false;
  #pausedUntil = 0;

  private constructor(options: JournalOptions, folder: string, ended: EndedFiles, lastNumber: number) {
    const { volume, calls, uploadPrefix } = options;
    this.#options = options;
    this.#folder = folder;
    this.#ended = ended;
    this.#lastNumber = lastNumber;
    this.#applier = new Applier(calls, { volume: volume.path, uploadPrefix });
    this.#timer = setInterval(() => this.#tick(), MAX_AGE_MS / 2).unref();
  }

  /** Puts in its place, durably, what the journal of an earlier process says, as far as it belongs to this worker. */
  static async open(options: JournalOptions): Promise<Journal> {
    const { volume, calls, worker } = options;
    const folder = path.join(volume.path, JOURNAL_FOLDER);
    const own = (await listJournal(calls, folder)).filter(({ name }) => belongsTo(name, worker));
    const ended = new EndedFiles({ ...options, folder });
    const undone = own.filter(({ state }) => state !== 'done');
    for (const file of await takeOver({ ...options, folder }, undone)) ended.add({ ...file, bytes: 0 });
    for (const { name, state } of own) if (state === 'done') await ended.addDone(name);
    // Without room for checksums it waits, as it does while the store is open: deletions, which need it open, make some.
    const isInPlace = await ended.sync().catch((err: unknown) => {
      if (!lacksRoom(err)) throw err;
      options.log.warn({ err }, 'the journal could not be brought to its place yet');
      return ended.isSound;
    });
    if (!isInPlace)
      throw new StartError(
        `the disk refuses what the journal of ${volume.path} holds, which is kept in ${folder}: see the log of the system`,
      );
    return new Journal(options, folder, ended, own.at(-1)?.number ?? 0);
  }

  /**
   * Resolves with `true` when the blob is there, durably. With `false` when it has to be stored in another way, because
   * something failed or too much waits; then something of it may be left in the journal.
   */
  async put(key: string, bytes: Buffer, checksum: number): Promise<boolean> {
    return this.#append('blob', key, bytes, checksum);
  }

  /** As `put`. Rejects with ENOENT when there is no such blob. */
  async delete(key: string): Promise<boolean> {
    return this.#append('deletion', key, NO_DATA);
  }

  /** Throws when the disk has refused what was in memory for it: only a start writes it again. */
  check(): void {
    if (this.#hasFailed)
      throw new CatalogueError(
        'InternalError',
        'the disk has refused to take blobs, which the journal still holds: a new start writes them again',
      );
  }

  /**
   * The blob has been deleted in another way, or its key told to nobody, who could delete it: what the journals may hold of it,
   * also those of other workers, must not bring it back. That is entered as soon as it can be.
   */
  owe(key: string): void {
    if (JOURNAL_KEY.test(key) && this.#owed.size < MAX_OWED) this.#owed.add(key);
  }

  /** To be called before a key is used again: what was done with it before must not be done once more, now or by a start. */
  async forget(key: string): Promise<void> {
    this.#owed.delete(key);
    await this.#entries.idle();
    if (this.#active !== undefined || this.#unfinished.length > 0 || this.#ended.count > 0) await this.sync();
  }

  /** Brings all that was done until now to stable storage in its place. */
  async sync(): Promise<void> {
    // Who asked for that one is told.
    await this.#syncing?.catch(() => undefined);
    await (this.#syncing ??= this.#syncNow());
  }

  async close(): Promise<void> {
    clearInterval(this.#timer);
    this.#enterOwed();
    this.#pausedUntil = Infinity;
    await this.#entries.idle();
    try {
      await this.sync();
    } catch (err) {
      this.#options.log.warn({ reason: messageOf(err) }, 'the journal is left to the next start');
    }
    if (this.#hasFailed) await this.#noteOwed();
    this.#owedFile?.file.close();
    this.#ended.close();
    await this.#applier.stop();
  }

  #append(kind: Kind, key: string, data: Buffer, checksum?: number): boolean | Promise<boolean> {
    const bytes = recordBytes(data.length);
    const isInUse = performance.now() >= this.#pausedUntil && JOURNAL_KEY.test(key);
    if (!isInUse || this.#entries.waitingBytes + bytes > MAX_WAITING_BYTES) return false;
    if (this.#unsyncedBytes() > MAX_UNSYNCED_BYTES || this.#unsyncedFiles() > MAX_UNSYNCED_FILES)
      return false;
    const record = encodeRecord(kind, Buffer.from(key, 'hex'), data, checksum);
    return new Promise((resolve, reject) => {
      this.#entries.add({ kind, key, record, bytes, resolve, reject });
    });
  }

  /** Never rejects: each that waits is told. */
  async #writeBatch(batch: readonly Entry[]): Promise<void> {
    // Nobody knows the keys of blobs yet: their files may be there before they are in the journal. Deletions come after, and with
    // them the blobs of their batch: what two messages to the thread cost is more than what the wait does.
    const entering = this.#enter(batch);
    const isEnteredFirst = batch.some(({ kind }) => kind === 'deletion');
    const applying = isEnteredFirst ? entering.then(() => this.#apply(batch)) : this.#apply(batch);
    const [entered, applied] = await Promise.allSettled([entering, applying]);
    // What was given up may be made yet, and is undone then: nothing of the batch may be stored in another way.
    if (applied.status === 'rejected' && applied.reason instanceof CatalogueError)
      return this.#giveUp(batch, applied.reason);
    if (entered.status === 'rejected') return this.#giveUp(batch, entered.reason);
    if (applied.status === 'rejected') return this.#giveUp(batch, applied.reason);
    for (const [index, { kind, resolve, reject }] of batch.entries()) {
      const failure = applied.value[index];
      if (failure === undefined) resolve(true);
      else if (failure.code === 'ENOENT' && kind === 'deletion') reject(failure);
      else resolve(false);
    }
    if ((this.#active?.bytes ?? 0) >= MAX_FILE_BYTES) this.#syncLater();
    this.#enterOwed();
  }

  async #enter(batch: readonly Entry[]): Promise<void> {
    const { volume, calls } = this.#options;
    if (!this.#hasFolder) await volume.restoreFolders();
    this.#hasFolder = true;
    this.#active ??= await ActiveFile.create(calls, this.#folder, this.#nextBase());
    await this.#active.append(batch.map(({ record }) => record));
  }

  #apply(batch: readonly Entry[]): Promise<Outcome> {
    return this.#applier.apply(
      batch.map(({ record }) => record),
      () => this.#undo(batch),
    );
  }

  #nextBase(): string {
    this.#lastNumber = Math.max(Date.now(), this.#lastNumber + 1);
    return `${this.#options.worker.index}.${this.#lastNumber}`;
  }

  /** What lies at the end of the file is not known for sure: nothing is appended to it any more. */
  async #giveUp(batch: readonly Entry[], err: unknown): Promise<void> {
    this.#pause(PAUSE_MS);
    const active = this.#endActive();
    this.#hasFolder = false;
    const { log } = this.#options;
    log.warn({ err, journal: this.#folder }, 'the journal cannot be written: blobs are synced one by one');
    if (err instanceof CatalogueError) {
      // Nothing else would be answered either.
      this.#undo(batch);
      for (const { reject } of batch) reject(err);
      return;
    }
    if (active !== undefined) await this.#removeEmpty(active).catch(() => undefined);
    await Promise.all(batch.map(entry => this.#leaveToOthers(entry)));
  }

  async #leaveToOthers({ kind, key, resolve, reject }: Entry): Promise<void> {
    try {
      if (kind === 'blob') await this.#options.calls.unlink(blobFile(this.#options.volume.path, key));
    } catch (err) {
      // It may be removed later, and then it must not be what the other way has made.
      if (err instanceof CatalogueError) {
        reject(err);
        return;
      }
    }
    resolve(false);
  }

  /** They were told that the disk did not answer. */
  #undo(batch: readonly Entry[]): void {
    const { volume, calls } = this.#options;
    for (const { kind, key } of batch) {
      if (kind !== 'blob') continue;
      this.owe(key);
      calls.unlink(blobFile(volume.path, key)).catch(() => undefined);
    }
  }

  #enterOwed(): void {
    for (const key of this.#owed) {
      const entered = this.#append('deletion', key, NO_DATA);
      if (entered === false) return;
      this.#owed.delete(key);
      // Its file is gone already; what else fails makes it owed again.
      Promise.resolve(entered).then(
        isEntered => isEntered || this.owe(key),
        () => undefined,
      );
    }
  }

  /** The next start writes again what the disk has refused, but not what was deleted since. */
  #noteOwed(): Promise<void> {
    this.#notingOwed = this.#notingOwed
      .then(() => this.#appendOwed())
      .catch(async (err: unknown) => {
        const file = this.#owedFile;
        this.#owedFile = undefined;
        const { log } = this.#options;
        log.warn(
          { err, journal: this.#folder },
          'deletions could not be noted; the next start may bring blobs back',
        );
        if (file?.bytes === 0) await file.remove().catch(() => undefined);
        file?.file.close();
      });
    return this.#notingOwed;
  }

  async #appendOwed(): Promise<void> {
    const keys = [...this.#owed];
    if (keys.length === 0) return;
    this.#owedFile ??= await ActiveFile.create(this.#options.calls, this.#folder, this.#nextBase());
    await this.#owedFile.append(keys.map(key => encodeRecord('deletion', Buffer.from(key, 'hex'), NO_DATA)));
    for (const key of keys) this.#owed.delete(key);
  }

  #pause(ms: number): void {
    this.#pausedUntil = Math.max(this.#pausedUntil, performance.now() + ms);
  }

  #endActive(): ActiveFile | undefined {
    const active = this.#active;
    if (active !== undefined) this.#unfinished.push(active);
    this.#active = undefined;
    return active;
  }

  /**
   * Takes away a file that has ended, when its first batch has failed: there is nothing to be brought to its place. A disk that
   * stays full would get one more with each try. False when there is something.
   */
  async #removeEmpty(file: ActiveFile): Promise<boolean> {
    if (file.bytes > 0) return false;
    await file.remove();
    const at = this.#unfinished.indexOf(file);
    if (at >= 0) this.#unfinished.splice(at, 1);
    return true;
  }

  #unsyncedFiles(): number {
    return this.#unfinished.length + this.#ended.unsynced;
  }

  #unsyncedBytes(): number {
    return this.#unfinished.reduce((sum, { bytes }) => sum + bytes, this.#ended.unsyncedBytes);
  }

  #tick(): void {
    this.#enterOwed();
    if (this.#hasFailed) void this.#noteOwed();
    const age = this.#active === undefined ? 0 : performance.now() - this.#active.begun;
    if (age >= MAX_AGE_MS || this.#unfinished.length > 0 || this.#ended.count > 0) this.#syncLater();
  }

  #syncLater(): void {
    // What comes meanwhile belongs to the next file.
    this.#endActive();
    if (this.#syncing !== undefined) return;
    this.sync().catch((err: unknown) => {
      this.#options.log.warn({ reason: messageOf(err) }, 'the journal could not be brought to its place yet');
    });
  }

  async #syncNow(): Promise<void> {
    try {
      await this.#options.volume.check();
      this.#endActive();
      const files = [...this.#unfinished];
      await this.#entries.batchWritten();
      for (const ended of files) {
        if (await this.#removeEmpty(ended)) continue;
        const { base, bytes, file } = ended;
        this.#ended.add({ base, name: base, bytes, file });
        this.#unfinished.splice(this.#unfinished.indexOf(ended), 1);
      }
      if (!(await this.#ended.sync()) && !this.#hasFailed) {
        this.#pause(Infinity);
        this.#hasFailed = true;
        const { log } = this.#options;
        log.error(
          { journal: this.#folder },
          'the disk has refused to take what was written; what the journal holds is written again by the next start',
        );
      }
    } finally {
      this.#syncing = undefined;
    }
  }
}
