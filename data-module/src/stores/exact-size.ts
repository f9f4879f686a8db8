import { Transform, type TransformCallback } from 'node:stream';
import { CatalogueError } from '@zenko-modules/common/errors';

/**
 * Passes on exactly `size` bytes. Fails with `IncompleteBody` when its source ends early, and with
 * `InvalidInput` at the first byte too many, before that byte is passed on.
 */
export class ExactSize extends Transform {
  readonly #size: number;
  #seen = 0;

  constructor(size: number) {
    super();
    this.#size = size;
  }

  /** Bytes that came so far. */
  get seen(): number {
    return this.#seen;
  }

  override _transform(chunk: Buffer, _encoding: BufferEncoding, done: TransformCallback): void {
    this.#seen += chunk.length;
    if (this.#seen <= this.#size) done(null, chunk);
    else done(new CatalogueError('InvalidInput', `more than the announced ${this.#size} bytes came`));
  }

  override _flush(done: TransformCallback): void {
    if (this.#seen === this.#size) done();
    else
      done(new CatalogueError('IncompleteBody', `${this.#seen} of the announced ${this.#size} bytes came`));
  }
}
