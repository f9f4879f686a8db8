/** The bytes of an upload on their way to a store: exactly as many as announced, or an error. */
import type { Readable as Origin } from 'node:stream';
import { Readable } from 'node:stream';
import { CatalogueError } from '@zenko-modules/common/errors';

/** What it has read ahead when its reader is slow. */
const READ_AHEAD_BYTES = 64 * 1024;

/** Smaller chunks are joined: by themselves they hold many times their bytes in memory, and nobody counts how many there are. */
const LARGE_BYTES = 16 * 1024;
const JOINED_BYTES = READ_AHEAD_BYTES;

export interface ExactSourceOptions {
  /** Leaves the origin open when this is destroyed: a request can still be answered. */
  readonly keepsOrigin?: boolean;
  /** The error to fail with when the origin fails or closes before its end. */
  readonly nameFailure?: (err: Error | undefined) => Error;
}

/**
 * Gives the bytes of `origin`, `size` of them. Fails with `IncompleteBody` when the origin ends or closes early, with
 * `InvalidInput` at the first byte too many, before that byte is passed on, and with the error of an origin that fails.
 * However small the chunks are in which they come, what waits in them takes about as much memory as its bytes.
 */
export class ExactSource extends Readable {
  readonly size: number;
  readonly #origin: Origin;
  readonly #keepsOrigin: boolean;
  readonly #nameFailure: (err: Error | undefined) => Error;
  #seen = 0;
  #isReading = false;
  /** Small chunks, one behind the other. */
  #joined: Buffer | undefined;
  #joinedBytes = 0;

  constructor(origin: Origin, size: number, options: ExactSourceOptions = {}) {
    super({ highWaterMark: READ_AHEAD_BYTES });
    this.size = size;
    this.#origin = origin;
    this.#keepsOrigin = options.keepsOrigin ?? false;
    this.#nameFailure = options.nameFailure ?? (err => err ?? new CatalogueError('IncompleteBody'));
    origin.on('error', this.#onError);
    origin.on('close', this.#onClose);
    if (origin.destroyed && !origin.readableEnded)
      process.nextTick(() => this.#fail(origin.errored ?? undefined));
  }

  override _read(): void {
    if (this.#isReading) {
      this.#origin.resume();
      return;
    }
    this.#isReading = true;
    this.#origin.on('data', this.#onData);
    this.#origin.on('end', this.#onEnd);
  }

  override _destroy(err: Error | null, done: (err?: Error | null) => void): void {
    const origin = this.#origin;
    origin.off('data', this.#onData);
    origin.off('end', this.#onEnd);
    // Its error handler stays: one that comes late must not end the process.
    origin.off('close', this.#onClose);
    if (!this.#keepsOrigin) origin.destroy();
    else if (!origin.readableEnded) origin.pause();
    done(err);
  }

  readonly #onData = (chunk: Buffer | string): void => {
    const bytes = typeof chunk === 'string' ? Buffer.from(chunk) : chunk;
    this.#seen += bytes.length;
    if (this.#seen > this.size)
      this.destroy(new CatalogueError('InvalidInput', `more than the announced ${this.size} bytes came`));
    else if (bytes.length < LARGE_BYTES) this.#join(bytes);
    else {
      this.#passJoined();
      this.#pass(bytes);
    }
  };

  #join(bytes: Buffer): void {
    if (this.#joinedBytes + bytes.length > (this.#joined?.length ?? 0)) {
      this.#passJoined();
      const left = this.size - this.#seen + bytes.length;
      this.#joined = Buffer.allocUnsafeSlow(Math.min(left, JOINED_BYTES));
    }
    if (this.#joined === undefined) return;
    this.#joinedBytes += bytes.copy(this.#joined, this.#joinedBytes);
    if (this.#joinedBytes === this.#joined.length || this.#seen === this.size) this.#passJoined();
  }

  #passJoined(): void {
    if (this.#joined === undefined || this.#joinedBytes === 0) return;
    const joined = this.#joined.subarray(0, this.#joinedBytes);
    // Few bytes must not keep the whole buffer.
    this.#pass(joined.length * 2 < this.#joined.length ? Buffer.from(joined) : joined);
    this.#joined = undefined;
    this.#joinedBytes = 0;
  }

  #pass(bytes: Buffer): void {
    // What was passed before may have had the reader leave.
    if (!this.destroyed && !this.push(bytes)) this.#origin.pause();
  }

  readonly #onEnd = (): void => {
    if (this.#seen === this.size) this.push(null);
    else
      this.destroy(
        new CatalogueError('IncompleteBody', `${this.#seen} of the announced ${this.size} bytes came`),
      );
  };

  readonly #onError = (err: Error): void => this.#fail(err);

  readonly #onClose = (): void => {
    if (!this.#origin.readableEnded) this.#fail(undefined);
  };

  #fail(err: Error | undefined): void {
    this.destroy(this.#nameFailure(err));
  }
}
