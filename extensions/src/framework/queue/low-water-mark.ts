/**
 * How far a partition may be committed when its messages are done in any order: up to the first one that
 * is not done.
 */
export class LowWaterMark {
  readonly #open: { readonly next: string; done: boolean }[] = [];
  #mark: string | undefined;

  /** @param start where the partition is read from. */
  constructor(start?: string) {
    this.#mark = start;
  }

  /** The offset from which to go on after a crash; `undefined` while nothing is known. */
  get value(): string | undefined {
    return this.#mark;
  }

  /** Notes a message that is handed out, in the partition's order; call what it returns when it is done. */
  add(next: string): () => void {
    const entry = { next, done: false };
    this.#open.push(entry);
    return () => {
      entry.done = true;
      let finished = 0;
      for (const open of this.#open) {
        if (!open.done) break;
        this.#mark = open.next;
        finished++;
      }
      if (finished > 0) this.#open.splice(0, finished);
    };
  }
}
