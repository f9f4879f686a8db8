/** An upload in buffers that are full but the last, one of them read ahead. */
import type { Readable } from 'node:stream';
import { crc32c } from '@node-rs/crc32';
import { CatalogueError } from '@zenko-modules/common/errors';
import type { AlignedBuffers, Lease } from './aligned-buffers.js';

const NOTHING = Buffer.alloc(0);

export class FilledBuffers {
  readonly #source: Readable;
  readonly #buffers: AlignedBuffers;
  /** What was given out, and what is being filled. */
  #given: Lease | undefined;
  #filling: Lease | undefined;
  #filled = 0;
  /** Of a chunk: what came when the buffer was full. */
  #rest: Buffer = NOTHING;
  #checksum = 0;
  #hasEnded = false;
  #failure: Error | undefined;
  #wake: () => void = () => undefined;

  constructor(source: Readable, buffers: AlignedBuffers) {
    this.#source = source;
    this.#buffers = buffers;
    source.on('data', this.#onData);
    source.once('end', () => {
      this.#hasEnded = true;
      this.#wake();
    });
    source.on('error', err => this.#fail(err));
    source.once('close', () => {
      if (!this.#hasEnded) this.#fail(new CatalogueError('IncompleteBody'));
    });
    if (source.destroyed) this.#fail(source.errored ?? new CatalogueError('IncompleteBody'));
  }

  /** Of all that came. */
  get checksum(): number {
    return this.#checksum;
  }

  /** Resolves with the next bytes, `undefined` at the end. They are valid until the next ones are asked for. */
  async next(): Promise<{ readonly lease: Lease; readonly bytes: Buffer } | undefined> {
    this.#giveBack();
    while (!this.#isFull() && !this.#hasEnded && this.#failure === undefined)
      await new Promise<void>(resolve => (this.#wake = resolve));
    if (this.#failure !== undefined) throw this.#failure;
    if (this.#filling === undefined) return undefined;
    const lease = (this.#given = this.#filling);
    const bytes = lease.bytes.subarray(0, this.#filled);
    this.#filling = undefined;
    this.#filled = 0;
    this.#fill(this.#rest);
    if (!this.#isFull()) this.#source.resume();
    return { lease, bytes };
  }

  /** Takes nothing more. */
  close(): void {
    this.#source.off('data', this.#onData);
    this.#giveBack();
    this.#filling?.release();
    this.#filling = undefined;
  }

  readonly #onData = (chunk: Buffer): void => {
    this.#checksum = crc32c(chunk, this.#checksum);
    this.#fill(chunk);
    if (!this.#isFull()) return;
    this.#source.pause();
    this.#wake();
  };

  #fill(chunk: Buffer): void {
    this.#rest = NOTHING;
    if (chunk.length === 0) return;
    this.#filling ??= this.#buffers.take();
    const { bytes } = this.#filling;
    const taken = Math.min(chunk.length, bytes.length - this.#filled);
    bytes.set(taken < chunk.length ? chunk.subarray(0, taken) : chunk, this.#filled);
    this.#filled += taken;
    if (taken < chunk.length) this.#rest = chunk.subarray(taken);
  }

  #isFull(): boolean {
    return this.#filling !== undefined && this.#filled === this.#filling.bytes.length;
  }

  #giveBack(): void {
    this.#given?.release();
    this.#given = undefined;
  }

  #fail(err: Error): void {
    this.#failure ??= err;
    this.#wake();
  }
}
