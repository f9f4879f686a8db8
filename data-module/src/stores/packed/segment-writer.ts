/**
 * Appends records: what arrives while a batch is being synced forms the next one, and one sync serves it all. The
 * catalog follows when a batch is durable.
 */
import { CatalogueError, messageOf } from '@zenko-modules/common/errors';
import type { Logger } from '@zenko-modules/common/logger';
import { nameDiskError } from '../disk/disk-errors.js';
import type { FileCalls } from '../disk/file-calls.js';
import { GroupCommit } from '../group-commit.js';
import { ActiveSegment } from './active-segment.js';
import { LOST } from './blob-index.js';
import type { Catalog } from './catalog.js';
import { MAX_RECORDS, type RecordEntry, writeHint } from './hint-file.js';
import { type Owner, TakenOverError } from './owner.js';
import { encodeRecord, encodeTarget, recordBytes } from '../record-format.js';
import { MAX_SEGMENT, type SegmentFiles } from './segment-files.js';

const MAX_BATCH_BYTES = 8 * 1024 * 1024;
const MAX_BATCH_RECORDS = 1024;
/** More than this in line is answered with SlowDown. */
const MAX_WAITING_BYTES = 64 * 1024 * 1024;

/** A place in a segment from which compaction copies. */
export interface Place {
  readonly segment: number;
  readonly offset: number;
}

export interface WriterOptions {
  readonly files: SegmentFiles;
  readonly calls: FileCalls;
  readonly catalog: Catalog;
  readonly owner: Owner;
  readonly log: Logger;
  /** Size at which a segment ends. */
  readonly segmentBytes: number;
  /** The newest segment that there is. */
  readonly lastSegment: number;
}

/** What is to be appended; made into a record when its batch is put together. */
interface Waiting {
  readonly key: Buffer;
  readonly bytes: number;
  readonly make: (batch: Batch) => Made | undefined;
  readonly resolve: (written: boolean) => void;
  readonly reject: (err: Error) => void;
}

interface Made {
  readonly record: Buffer;
  readonly entry: Omit<RecordEntry, 'offset'>;
}

interface Batch {
  readonly segment: number;
  /** What this batch does to a key before it is durable. */
  readonly changed: Map<string, 'put' | 'deleted'>;
}

export class SegmentWriter {
  readonly #options: WriterOptions;
  #active: ActiveSegment | undefined;
  readonly #entries = new GroupCommit<Waiting>({
    maxBytes: MAX_BATCH_BYTES,
    maxEntries: MAX_BATCH_RECORDS,
    write: batch => this.#writeBatch(batch),
  });
  #lastSegment: number;
  #refusal: CatalogueError | undefined;
  #isFenced = false;

  constructor(options: WriterOptions) {
    this.#options = options;
    this.#lastSegment = options.lastSegment;
  }

  /** The segment that is appended to, which compaction leaves alone. */
  get activeSegment(): number | undefined {
    return this.#active?.segment;
  }

  /** Why nothing can be appended, if that is so. */
  get refusal(): CatalogueError | undefined {
    return this.#refusal;
  }

  /**
   * Durable when it resolves, and only then in the catalog.
   * @throws CatalogueError SlowDown when too much waits, otherwise by what the disk says; nothing is stored then.
   */
  async put(key: Buffer, data: Buffer): Promise<void> {
    const record = encodeRecord('blob', key, data);
    const entry = { kind: 'blob', key, length: data.length, target: 0 } as const;
    await this.#append(key, record.length, () => ({ record, entry }));
  }

  /** Durable when it resolves. Resolves with `false` when there is no such blob, or another deletion came first. */
  delete(key: Buffer): Promise<boolean> {
    return this.#append(key, recordBytes(4), ({ changed, segment }) => {
      const change = changed.get(key.toString('latin1'));
      const found = this.#options.catalog.find(key);
      if (change === 'deleted' || (change === undefined && found === undefined)) return undefined;
      const target = change === 'put' ? segment : (found?.segment ?? 0);
      return { record: encodeRecord('deletion', key, encodeTarget(target)), entry: deletion(key, target) };
    });
  }

  /** Copies the blob that lies at `place`, or notes that its data is lost. `false` when it lies there no more. */
  copyBlob(key: Buffer, data: Buffer | undefined, place: Place): Promise<boolean> {
    const record = encodeRecord(data ? 'blob' : 'lost', key, data ?? Buffer.alloc(0));
    const entry = { kind: data ? 'blob' : 'lost', key, length: data?.length ?? 0, target: 0 } as const;
    return this.#append(key, record.length, ({ changed }) => {
      const isStillThere =
        !changed.has(key.toString('latin1')) && this.#options.catalog.isAt(key, place.segment, place.offset);
      return isStillThere ? { record, entry } : undefined;
    });
  }

  /** Copies a deletion. `false` when there is a blob of the key again, which came later. */
  copyDeletion(key: Buffer, target: number): Promise<boolean> {
    return this.#append(key, recordBytes(4), ({ changed }) => {
      if (changed.has(key.toString('latin1')) || this.#options.catalog.find(key) !== undefined)
        return undefined;
      return { record: encodeRecord('deletion', key, encodeTarget(target)), entry: deletion(key, target) };
    });
  }

  /** Refuses what comes from now on, finishes what waits, and seals the segment. */
  async close(): Promise<void> {
    this.#refusal ??= new CatalogueError('ServiceUnavailable', 'the store has been closed');
    await this.#entries.idle();
    await this.#seal();
  }

  #append(key: Buffer, bytes: number, make: Waiting['make']): Promise<boolean> {
    if (this.#refusal !== undefined) return Promise.reject(this.#refusal);
    if (this.#entries.waitingBytes + bytes > MAX_WAITING_BYTES) {
      return Promise.reject(new CatalogueError('SlowDown', 'too many blobs wait for the disk'));
    }
    return new Promise((resolve, reject) => {
      this.#entries.add({ key, bytes, make, resolve, reject });
    });
  }

  async #writeBatch(batch: readonly Waiting[]): Promise<void> {
    const written: { readonly waiting: Waiting; readonly made: Made }[] = [];
    /** Told when the batch is durable: what they stand back for may be in it. */
    const without: Waiting[] = [];
    let active: ActiveSegment;
    try {
      active = await this.#segmentFor(batch);
      const context: Batch = { segment: active.segment, changed: new Map() };
      for (const waiting of batch) {
        const made = waiting.make(context);
        if (made === undefined) {
          without.push(waiting);
          continue;
        }
        written.push({ waiting, made });
        const isDeletion = made.entry.kind === 'deletion';
        context.changed.set(waiting.key.toString('latin1'), isDeletion ? 'deleted' : 'put');
      }
      if (written.length > 0) {
        const records = written.map(({ made }) => made.record);
        // After the sync: a process that took the store over before it may not have seen these records.
        await active.append(records, () => this.#checkOwner());
      }
    } catch (err) {
      await this.#failed(err);
      const reason = nameBatchError(err);
      for (const { reject } of batch) reject(reason);
      return;
    }
    if (written.length > 0)
      this.#record(
        active,
        written.map(({ made }) => made),
      );
    for (const { resolve } of without) resolve(false);
    for (const { waiting } of written) waiting.resolve(true);
  }

  #record(active: ActiveSegment, made: readonly Made[]): void {
    const { catalog } = this.#options;
    const { segment, entries } = active;
    const use = catalog.segments.get(segment) ?? catalog.addSegment(segment, 0, false);
    use.bytes = active.end;
    let offset = active.end - made.reduce((sum, { record }) => sum + record.length, 0);
    for (const { record, entry } of made) {
      entries.add({ ...entry, offset });
      if (entry.kind === 'deletion') catalog.delete(entry.key, segment, entry.target);
      else {
        const length = entry.kind === 'lost' ? LOST : entry.length;
        catalog.put(entry.key, { segment, offset, length });
      }
      offset += record.length;
    }
  }

  /** The segment for a batch: the one that is open, or a new one when it has no room. */
  async #segmentFor(batch: readonly Waiting[]): Promise<ActiveSegment> {
    const { segmentBytes, files, calls } = this.#options;
    const bytes = batch.reduce((sum, waiting) => sum + waiting.bytes, 0);
    const active = this.#active;
    if (active !== undefined) {
      const isFull = active.entries.count > 0 && active.end + bytes > segmentBytes;
      if (!isFull && active.entries.count + batch.length <= MAX_RECORDS) return active;
      await this.#seal();
    }
    await this.#checkOwner();
    if (this.#lastSegment >= MAX_SEGMENT)
      throw new CatalogueError('InternalError', 'there are no segments left');
    this.#active = await ActiveSegment.create(files, calls, this.#lastSegment + 1);
    this.#lastSegment += 1;
    return this.#active;
  }

  /** A store that another process has taken over takes no more. */
  async #checkOwner(): Promise<void> {
    try {
      await this.#options.owner.check();
    } catch (err) {
      if (err instanceof TakenOverError) {
        this.#isFenced = true;
        this.#refusal = err;
      }
      throw err;
    }
  }

  /** Nothing of the batch is to remain. */
  async #failed(err: unknown): Promise<void> {
    const active = this.#active;
    if (active === undefined) return;
    const { log } = this.#options;
    log.error({ err, segment: active.segment }, 'a batch could not be written');
    try {
      if (this.#isFenced) {
        // The segment, whatever it holds, is the other process' from now on.
        this.#active = undefined;
        active.close();
        return;
      }
      const outcome = await active.undo();
      if (outcome === 'usable') return;
      if (outcome === 'sealed') {
        await this.#seal();
        return;
      }
      this.#lastSegment -= 1;
    } catch (reason) {
      log.error(
        { err: reason, segment: active.segment },
        'what a failed batch has written could not be removed',
      );
    }
    this.#active = undefined;
  }

  /** Ends the segment. A hint file that cannot be written is no loss: the next start reads the segment. */
  async #seal(): Promise<void> {
    const active = this.#active;
    if (active === undefined) return;
    this.#active = undefined;
    const { files, calls, catalog, owner, log } = this.#options;
    const use = catalog.segments.get(active.segment);
    if (use !== undefined) use.sealed = true;
    try {
      if (active.entries.count === 0) {
        await active.undo();
        return;
      }
      active.close();
      await owner.check();
      await writeHint(calls, files, active.segment, active.end, active.entries);
    } catch (err) {
      log.warn(
        { segment: active.segment, reason: messageOf(err) },
        'no hint file: the next start reads the segment',
      );
    }
  }
}

function nameBatchError(err: unknown): CatalogueError {
  // Whatever is missing, it is no blob.
  if ((err as NodeJS.ErrnoException).code === 'ENOENT')
    return new CatalogueError('InternalError', 'the store has lost a folder', { cause: err });
  return nameDiskError(err);
}

function deletion(key: Buffer, target: number): Omit<RecordEntry, 'offset'> {
  return { kind: 'deletion', key, length: 4, target };
}
