/** Takes entries of blobs that are gone out of a worker's checksum logs, one file at a time: see CHECKSUMS.md. */
import path from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { CatalogueError } from '@zenko-modules/common/errors';
import type { Logger } from '@zenko-modules/common/logger';
import type { WorkerPlace } from '../../plugin.js';
import { blobFile } from '../disk-layout.js';
import type { FileCalls } from '../file-calls.js';
import type { Volume } from '../volume.js';
import { belongsTo } from '../worker-files.js';
import type { ChecksumEntry } from './checksum-entry.js';
import { type ChecksumLog, PendingEntry } from './checksum-log.js';
import { listLogs, readLog } from './log-files.js';
import { Pace } from './pace.js';

/** Entries of a file that are looked at to tell how many are of blobs that are gone. */
const SAMPLE = 64;
/** Files smaller than this part of a full one are joined when there are more than so many. */
const SMALL_PART = 1 / 8;
const MAX_SMALL = 8;
/** Looked at, or copied, before the next rest. */
const GROUP = 128;

export interface CleanerOptions {
  readonly calls: FileCalls;
  readonly volume: Volume;
  readonly folder: string;
  readonly worker: WorkerPlace;
  readonly checksums: ChecksumLog;
  readonly maxFileBytes: number;
  /** Time between two looks. */
  readonly pauseMs: number;
  readonly log: Logger;
}

export class LogCleaner {
  readonly #options: CleanerOptions;
  readonly #stopping = new AbortController();
  readonly #pace = new Pace();
  #running: Promise<void> | undefined;
  /** Whether there was an upload or a deletion since the last look. */
  #isUsed = false;
  /** The file that was looked at last. */
  #cursor = '';

  constructor(options: CleanerOptions) {
    this.#options = options;
  }

  /** Something was put or deleted. A volume that is only read is left as it is. */
  noteUse(): void {
    this.#isUsed = true;
    this.#running ??= this.#run();
  }

  /** Ends what is under way between two groups of entries. */
  async close(): Promise<void> {
    this.#stopping.abort();
    await this.#running;
  }

  /** Looks at every file once. Rejects when it could not be finished; nothing is lost then. */
  async cleanAll(): Promise<void> {
    for (const name of await this.#files()) await this.#look(name);
  }

  #isStopping(): boolean {
    return this.#stopping.signal.aborted;
  }

  async #run(): Promise<void> {
    const { checksums, pauseMs, log } = this.#options;
    for (let ended = 0; ;) {
      // An open store alone keeps no process alive. It ends early only to stop.
      await wait(pauseMs, undefined, { signal: this.#stopping.signal, ref: false }).catch(() => undefined);
      if (this.#isStopping()) return;
      if (!this.#isUsed) continue;
      this.#isUsed = false;
      // Never fewer than come to be, so that they do not pile up.
      const looks = 1 + 2 * (checksums.endedFiles - ended);
      ended = checksums.endedFiles;
      try {
        if (!(await checksums.isInPlace())) checksums.endFile();
        await this.#clean(looks);
      } catch (err) {
        if (!this.#isStopping()) log.warn({ err }, 'a checksum log could not be cleaned; it is tried again');
      }
    }
  }

  /** Looks at so many files, in turn, and goes on as long as there is something to clean. */
  async #clean(looks: number): Promise<void> {
    const files = await this.#files();
    const next = files.findIndex(name => name > this.#cursor);
    const order = next < 0 ? files : [...files.slice(next), ...files.slice(0, next)];
    let left = looks;
    for (const name of order) {
      if (left === 0 || this.#isStopping()) return;
      this.#cursor = name;
      if (!(await this.#look(name))) left -= 1;
    }
  }

  /** The files of this worker that nothing will be added to, by name. */
  async #files(): Promise<string[]> {
    const { calls, folder, worker, checksums } = this.#options;
    const names = (await listLogs(calls, folder)).map(({ name }) => name);
    return names.filter(name => belongsTo(name, worker) && checksums.isFinal(name)).sort();
  }

  /** Resolves with whether there was something to clean. */
  async #look(name: string): Promise<boolean> {
    const file = path.join(this.#options.folder, name);
    const sample = await this.#sampleOf(file);
    let gone = 0;
    for (const { key } of sample) if (!(await this.#isThere(key))) gone += 1;
    if (gone * 2 < sample.length && !(await this.#isOneOfManySmall(file))) return false;
    await this.#clear(file);
    return true;
  }

  /** Entries of the file, each as likely as any other. */
  async #sampleOf(file: string): Promise<ChecksumEntry[]> {
    const sample: ChecksumEntry[] = [];
    let seen = 0;
    for await (const { entries } of readLog(this.#options.calls, file)) {
      for (const entry of entries) {
        const place = seen < SAMPLE ? seen : Math.floor(Math.random() * (seen + 1));
        if (place < SAMPLE) sample[place] = entry;
        seen += 1;
      }
      await this.#pace.rest(this.#stopping.signal);
      this.#throwIfStopping();
    }
    return sample;
  }

  async #isOneOfManySmall(file: string): Promise<boolean> {
    const { calls, folder, maxFileBytes } = this.#options;
    const isSmall = async (one: string): Promise<boolean> =>
      (await calls.stat(one)).size < maxFileBytes * SMALL_PART;
    if (!(await isSmall(file))) return false;
    let small = 0;
    for (const name of await this.#files()) if (await isSmall(path.join(folder, name))) small += 1;
    return small > MAX_SMALL;
  }

  /** Appends the entries of living blobs to the log once more, and removes the file when they are on stable storage. */
  async #clear(file: string): Promise<void> {
    const { calls, volume, log } = this.#options;
    let [kept, dropped, damaged] = [0, 0, 0];
    for await (const part of readLog(calls, file)) {
      damaged += part.damaged;
      for (let at = 0; at < part.entries.length; at += GROUP) {
        const group = part.entries.slice(at, at + GROUP);
        const living: ChecksumEntry[] = [];
        for (const entry of group) if (await this.#isThere(entry.key)) living.push(entry);
        // On a volume that has gone none is there.
        if (living.length < group.length) await volume.check();
        await Promise.all(living.map(entry => this.#copy(entry)));
        kept += living.length;
        dropped += group.length - living.length;
        await this.#pace.rest(this.#stopping.signal);
        this.#throwIfStopping();
      }
    }
    await calls.unlink(file);
    const line = { file, kept, dropped, damaged };
    if (damaged > 0) log.warn(line, 'a checksum log had damaged entries: their blobs cannot be compared');
    else log.debug(line, 'cleaned a checksum log');
  }

  /** The blob is in its place already. */
  async #copy(entry: ChecksumEntry): Promise<void> {
    const copied = new PendingEntry(this.#options.checksums, entry.key);
    copied.settle();
    copied.write(entry);
    await copied.written();
  }

  async #isThere(key: string): Promise<boolean> {
    const { calls, volume } = this.#options;
    try {
      await calls.stat(blobFile(volume.path, key));
      return true;
    } catch (err) {
      if ((err as NodeJS.ErrnoException).code === 'ENOENT') return false;
      throw err;
    }
  }

  #throwIfStopping(): void {
    if (this.#isStopping()) throw new CatalogueError('ServiceUnavailable', 'the store has been closed');
  }
}
