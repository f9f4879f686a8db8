/** What clients have begun to send and not ended piles up on our side: this bounds it for all of them together. */

/** What one piece of a message takes in memory besides its bytes. */
const PIECE_BYTES = 256;
/** From then on a message does not grow older. */
const OLD_MS = 60_000;
/** As old as that a message is at least. */
const NEW_MS = 100;

export class UnfinishedMessages {
  readonly #limit: number;
  readonly #begun = new Set<UnfinishedMessage>();
  #bytes = 0;

  /** @param limit bytes that all of them may take together. */
  constructor(limit: number) {
    this.#limit = limit;
  }

  /**
   * For one client that sends messages, one after the other.
   * @param refuse called when there is no room for what it has begun: it must be given up at once.
   */
  open(refuse: () => void): UnfinishedMessage {
    return new UnfinishedMessage(refuse, (message, change) => this.#changed(message, change));
  }

  #changed(message: UnfinishedMessage, change: number): void {
    this.#bytes += change;
    if (message.bytes === 0) this.#begun.delete(message);
    else if (change > 0) this.#begun.add(message);
    while (this.#bytes > this.#limit) this.#worst()?.giveUp();
  }

  /** The one that has held most for longest. Who behaves sends little, or is soon done. */
  #worst(): UnfinishedMessage | undefined {
    const now = performance.now();
    let [worst, most]: [UnfinishedMessage | undefined, number] = [undefined, 0];
    for (const message of this.#begun) {
      const weight = message.bytes * Math.min(Math.max(now - message.since, NEW_MS), OLD_MS);
      if (weight > most) [worst, most] = [message, weight];
    }
    return worst;
  }
}

export class UnfinishedMessage {
  readonly #refuse: () => void;
  readonly #onChange: (message: UnfinishedMessage, change: number) => void;
  /** Held since before the piece that came last, … */
  #earlier = 0;
  /** … and of that piece. */
  #piece = 0;
  #pieces = 0;
  #since = 0;
  #ended = false;

  constructor(refuse: () => void, onChange: (message: UnfinishedMessage, change: number) => void) {
    this.#refuse = refuse;
    this.#onChange = onChange;
  }

  /** About what it takes in memory. */
  get bytes(): number {
    return this.#earlier + this.#piece + this.#pieces * PIECE_BYTES;
  }

  /** When it began, as `performance.now()` counts. */
  get since(): number {
    return this.#since;
  }

  /** A piece has come: the next part of a message, or several messages and the beginning of another. */
  received(bytes: number): void {
    if (this.#ended) return;
    if (this.bytes === 0) this.#since = performance.now();
    this.#set(this.#earlier + this.#piece, bytes, this.#pieces + 1);
  }

  /** A message of so many bytes has ended with, or within, the piece that came last. */
  finished(bytes: number): void {
    const rest = Math.min(this.#piece, Math.max(0, this.#earlier + this.#piece - bytes));
    this.#since = performance.now();
    this.#set(0, rest, rest === 0 ? 0 : 1);
  }

  /** No more comes, and what had come is not held any more. */
  end(): void {
    this.#ended = true;
    this.#set(0, 0, 0);
  }

  giveUp(): void {
    this.end();
    this.#refuse();
  }

  #set(earlier: number, piece: number, pieces: number): void {
    const before = this.bytes;
    this.#earlier = earlier;
    this.#piece = piece;
    this.#pieces = pieces;
    this.#onChange(this, this.bytes - before);
  }
}
