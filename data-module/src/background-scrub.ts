/**
 * Reads every blob of the store again and again, so many bytes a second, so that damage is found while a copy can still
 * mend it. The packed store and memcached compare their checksums with each read, S3 and GridFS those of their backend;
 * what the disk store knows of its blobs is compared here. What is found is logged and counted.
 */
import { crc32c } from '@node-rs/crc32';
import { orAborted } from '@zenko-modules/common/abort';
import { sleep } from '@zenko-modules/common/deadline';
import { isErrorType } from '@zenko-modules/common/errors';
import type { Logger } from '@zenko-modules/common/logger';
import { Counter, Gauge, type Registry } from 'prom-client';
import type { BlobChecksum, CheckedKey } from './data-store.js';
import type { CompleteStore } from './stores/store-layer.js';

/** What a blob counts for at least: opening one is work, too. */
const LEAST_BYTES = 4096;
/** A store with little in it is not read all the time. */
const ROUND_PAUSE_MS = 60_000;
/** While the backend is away, or has too much to do. */
const AWAY_PAUSE_MS = 10_000;

export type ScrubMetrics = ReturnType<typeof createScrubMetrics>;

export function createScrubMetrics(registry: Registry) {
  const registers = [registry];
  return {
    blobs: new Counter({
      name: 'data_scrub_blobs_total',
      help: 'Blobs that the background scrub has looked at, by result: sound, damaged, unchecked (read, without a checksum to compare with), gone (deleted meanwhile), unavailable',
      labelNames: ['result'] as const,
      registers,
    }),
    bytes: new Counter({
      name: 'data_scrub_bytes_total',
      help: 'Bytes of blobs that the background scrub has read',
      registers,
    }),
    rounds: new Counter({
      name: 'data_scrub_rounds_total',
      help: 'Times that the background scrub has come to the end of the store',
      registers,
    }),
    damaged: new Gauge({
      name: 'data_scrub_damaged_blobs',
      help: 'Blobs that the background scrub found damaged, in its last whole round or since, whichever is more',
      registers,
    }),
  };
}

export interface BackgroundScrubOptions {
  /** A layer of its own over the store: what is read here is no work of clients. */
  readonly store: Pick<CompleteStore, 'keys' | 'checkedKeys' | 'openPastCache' | 'ping'>;
  readonly bytesPerSecond: number;
  readonly metrics: ScrubMetrics;
  readonly log: Logger;
  /** Where the first round begins, from 0 to 1; at random, so that one that is started again often comes everywhere. */
  readonly begin?: number;
  readonly roundPauseMs?: number;
}

type Result = 'sound' | 'damaged' | 'unchecked' | 'gone' | 'unavailable';

export class BackgroundScrub {
  readonly #options: BackgroundScrubOptions;
  readonly #stopping = new AbortController();
  /** When what has been read so far may have been read, by the monotonic clock. */
  #dueMs = 0;
  /** Found in the whole round before this one. */
  #damagedBefore = 0;

  private constructor(options: BackgroundScrubOptions) {
    this.#options = options;
  }

  static start(options: BackgroundScrubOptions): BackgroundScrub {
    const scrub = new BackgroundScrub(options);
    scrub.#run().catch((err: unknown) => {
      if (!scrub.#isStopping) options.log.error({ err }, 'the background scrub has ended');
    });
    return scrub;
  }

  /** Reads nothing more from here on. */
  close(): void {
    this.#stopping.abort();
  }

  get #isStopping(): boolean {
    return this.#stopping.signal.aborted;
  }

  async #run(): Promise<void> {
    const { log, begin = Math.random(), metrics, roundPauseMs = ROUND_PAUSE_MS } = this.#options;
    log.info({ bytesPerSecond: this.#options.bytesPerSecond }, 'scrubbing in the background');
    let skip: number | undefined;
    for (;;) {
      try {
        skip ??= Math.floor((await this.#count()) * begin);
        const damaged = await this.#round(skip);
        // One that did not begin at the beginning was no whole round.
        if (skip === 0) this.#damagedBefore = damaged;
        metrics.damaged.set(Math.max(this.#damagedBefore, damaged));
        metrics.rounds.inc();
        skip = 0;
      } catch (err) {
        if (this.#isStopping || isErrorType(err, 'NotImplemented')) throw err;
        log.warn({ err }, 'the blobs cannot be listed: the background scrub begins again later');
      }
      await this.#pause(roundPauseMs);
    }
  }

  async #count(): Promise<number> {
    let count = 0;
    for await (const key of this.#each(this.#options.store.keys())) count += key === '' ? 0 : 1;
    return count;
  }

  /** Ends at once when it is to stop, whatever the store does then. */
  async *#each<T>(listed: AsyncIterable<T>): AsyncGenerator<T, void, undefined> {
    const keys = listed[Symbol.asyncIterator]();
    try {
      for (;;) {
        const next = await this.#unlessStopped(keys.next());
        if (next.done === true) return;
        yield next.value;
      }
    } finally {
      // Nothing is lost with a listing, and nobody waits for its end.
      void Promise.resolve(keys.return?.()).catch(() => undefined);
    }
  }

  /** Resolves with the number of damaged blobs. */
  async #round(skip: number): Promise<number> {
    const { metrics, log } = this.#options;
    let [passed, damaged] = [0, 0];
    for await (const checked of this.#each(this.#options.store.checkedKeys())) {
      if ((passed += 1) <= skip) continue;
      let result = await this.#read(checked);
      // What is damaged is so when it is read again, too.
      if (result === 'damaged') result = await this.#read(checked);
      // All blobs of a volume that has gone fail so, and none of them is damaged.
      if (result === 'damaged' && !(await this.#isStoreThere())) result = 'unavailable';
      metrics.blobs.inc({ result });
      if (result === 'damaged') {
        damaged += 1;
        metrics.damaged.set(Math.max(this.#damagedBefore, damaged));
        log.error(
          { key: checked.key },
          'a blob is damaged, or shorter than it should be: bring it back from a copy (data:copy), or delete its object',
        );
      } else if (result === 'unavailable') await this.#pause(AWAY_PAUSE_MS);
    }
    return damaged;
  }

  async #read({ key, checksums }: CheckedKey): Promise<Result> {
    const opening = this.#options.store.openPastCache(key);
    let [bytes, checksum] = [0, 0];
    const take = (piece: Buffer): void => {
      bytes += piece.length;
      if (checksums !== undefined && checksums.length > 0) checksum = crc32c(piece, checksum);
    };
    try {
      const blob = await this.#unlessStopped(opening);
      if (blob.bytes !== undefined) take(blob.bytes);
      else {
        for (;;) {
          const piece = await this.#unlessStopped(blob.next());
          if (piece === undefined) break;
          take(piece);
          await this.#take(piece.length);
        }
      }
      await this.#take(Math.max(LEAST_BYTES, blob.bytes?.length ?? 0));
      return bytes === blob.size ? comparedWith(checksums, { length: bytes, checksum }) : 'damaged';
    } catch (err) {
      if (this.#isStopping) throw err;
      await this.#take(LEAST_BYTES);
      if (isErrorType(err, 'ObjNotFound')) return 'gone';
      return isErrorType(err, 'ServiceUnavailable', 'SlowDown') ? 'unavailable' : 'damaged';
    } finally {
      this.#options.metrics.bytes.inc(bytes);
      // Also one that opens after it was told to stop.
      void opening.then(
        blob => blob.close(),
        () => undefined,
      );
    }
  }

  async #isStoreThere(): Promise<boolean> {
    return this.#unlessStopped(
      this.#options.store.ping().then(
        () => true,
        () => false,
      ),
    );
  }

  /** Rejects as soon as it is to stop; the work itself goes on. */
  async #unlessStopped<T>(work: Promise<T>): Promise<T> {
    const done = await orAborted(work, this.#stopping.signal);
    if (this.#isStopping) throw new Error('stopping');
    return done as T;
  }

  /** Waits as long as the bytes that were read may take. */
  async #take(bytes: number): Promise<void> {
    const now = performance.now();
    this.#dueMs = Math.max(now, this.#dueMs) + (bytes * 1000) / this.#options.bytesPerSecond;
    if (this.#dueMs - now >= 1) await this.#pause(this.#dueMs - now);
  }

  async #pause(ms: number): Promise<void> {
    await sleep(ms, this.#stopping.signal);
    if (this.#isStopping) throw new Error('stopping');
  }
}

function comparedWith(known: CheckedKey['checksums'], read: BlobChecksum): Result {
  if (known === undefined) return 'sound';
  if (known.length === 0) return 'unchecked';
  const isKnown = known.some(({ length, checksum }) => length === read.length && checksum === read.checksum);
  return isKnown ? 'sound' : 'damaged';
}
