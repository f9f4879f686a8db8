/** Buffers of one size that are used again: the system clears the pages of each new one. */
export class BufferPool {
  readonly #size: number;
  readonly #most: number;
  readonly #free: Buffer[] = [];

  /** @param keepBytes what is kept of those that are given back; the rest is let go */
  constructor(size: number, keepBytes: number) {
    this.#size = size;
    this.#most = Math.floor(keepBytes / size);
  }

  take(): Buffer {
    return this.#free.pop() ?? Buffer.allocUnsafeSlow(this.#size);
  }

  /** Takes back a buffer that nobody reads or writes any more. */
  give(buffer: Buffer): void {
    if (this.#free.length < this.#most) this.#free.push(buffer);
  }
}
