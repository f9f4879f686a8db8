/** Takes lines and stretches of bytes from a stream of chunks, without ever holding more than one chunk and one line. */
export class ByteReader {
  readonly #source: AsyncIterator<Buffer>;
  #rest: Buffer = Buffer.alloc(0);

  constructor(source: AsyncIterable<Buffer>) {
    this.#source = source[Symbol.asyncIterator]();
  }

  /** The next bytes, at least one and at most `limit`; `undefined` at the end. */
  async some(limit: number): Promise<Buffer | undefined> {
    if (this.#rest.length === 0 && !(await this.#more())) return undefined;
    const taken = this.#rest.subarray(0, limit);
    this.#rest = this.#rest.subarray(taken.length);
    return taken;
  }

  /**
   * The next line without its end (LF or CRLF); `undefined` when the stream ends first, or the line is
   * longer than `limit` bytes.
   */
  async line(limit: number): Promise<string | undefined> {
    for (;;) {
      const end = this.#rest.indexOf(0x0a);
      if (end > limit || (end < 0 && this.#rest.length > limit)) return undefined;
      if (end >= 0) {
        const line = this.#rest.subarray(0, end).toString('latin1');
        this.#rest = this.#rest.subarray(end + 1);
        return line.endsWith('\r') ? line.slice(0, -1) : line;
      }
      if (!(await this.#more())) return undefined;
    }
  }

  /** Whether the next two bytes are CR and LF; takes them. */
  async lineEnd(): Promise<boolean> {
    const first = await this.some(1);
    const second = await this.some(1);
    return first?.[0] === 0x0d && second?.[0] === 0x0a;
  }

  /** Whether no byte is left. */
  async atEnd(): Promise<boolean> {
    while (this.#rest.length === 0) if (!(await this.#more())) return true;
    return false;
  }

  /** Lets the source go without reading it to its end. */
  async close(): Promise<void> {
    await this.#source.return?.();
  }

  async #more(): Promise<boolean> {
    const next = await this.#source.next();
    if (next.done) return false;
    this.#rest = this.#rest.length === 0 ? next.value : Buffer.concat([this.#rest, next.value]);
    return true;
  }
}
