/** An upload in buffers that are full but the last, one of them read ahead. */
import type { Readable } from 'node:stream';
import { crc32c } from '@node-rs/crc32';
import type { AlignedBuffers, Lease } from './aligned-buffers.js';
import { PacedSource } from './paced-source.js';

const NOTHING = Buffer.alloc(0);

export class FilledBuffers {
  readonly #source: PacedSource;
  readonly #buffers: AlignedBuffers;
  /** What was given out, and what is being filled. */
  #given: Lease | undefined;
  #filling: Lease | undefined;
  #filled = 0;
  /** Of a chunk: what came when the buffer was full. */
  #rest: Buffer = NOTHING;
  #checksum = 0;

  constructor(source: Readable, buffers: AlignedBuffers) {
    this.#buffers = buffers;
    const take = (chunk: Buffer): void => {
      this.#checksum = crc32c(chunk, this.#checksum);
      this.#fill(chunk);
    };
    this.#source = new PacedSource(source, take, () => this.#isFull());
  }

  /** Of all that came. */
  get checksum(): number {
    return this.#checksum;
  }

  /** Resolves with the next bytes, `undefined` at the end. They are valid until the next ones are asked for. */
  async next(): Promise<{ readonly lease: Lease; readonly bytes: Buffer } | undefined> {
    this.#giveBack();
    await this.#source.enough();
    if (this.#filling === undefined) return undefined;
    const lease = (this.#given = this.#filling);
    const bytes = lease.bytes.subarray(0, this.#filled);
    this.#filling = undefined;
    this.#filled = 0;
    this.#fill(this.#rest);
    this.#source.resume();
    return { lease, bytes };
  }

  /** Takes nothing more. */
  close(): void {
    this.#source.close();
    this.#giveBack();
    this.#filling?.release();
    this.#filling = undefined;
  }

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
}
