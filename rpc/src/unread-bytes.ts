/** What the clients of a server have not read yet piles up on our side: this bounds it for all of them together. */

/** A client, as far as it leaves things unread. */
export interface Reader {
  /** Bytes that wait to be read. */
  readonly unread: number;
  /** Ends its connection, and with it all that waits. */
  cutOff(): void;
}

export class UnreadBytes {
  readonly #limit: number;
  readonly #readers = new Set<Reader>();
  /** No less than what all of them leave unread. */
  #atMost = 0;

  constructor(limit: number) {
    this.#limit = limit;
  }

  add(reader: Reader): void {
    this.#readers.add(reader);
  }

  delete(reader: Reader): void {
    this.#readers.delete(reader);
  }

  /** Notes that `bytes` more were sent to one of the readers; cuts off those that read least when it is too much for all. */
  sent(bytes: number): void {
    this.#atMost += bytes;
    if (this.#atMost <= this.#limit) return;
    // What was read meanwhile is only known by asking everyone, which is done once in so many bytes.
    this.#atMost = this.#total();
    while (this.#atMost > this.#limit) {
      const [worst] = [...this.#readers].sort((a, b) => b.unread - a.unread);
      if (worst === undefined) return;
      this.#readers.delete(worst);
      worst.cutOff();
      this.#atMost = this.#total();
    }
  }

  #total(): number {
    let total = 0;
    for (const { unread } of this.#readers) total += unread;
    return total;
  }
}
