/** What was worked on last, for the status page: a ring of a fixed size. */
const MAX_ITEMS = 50;
/** Longer than any key of S3. */
const MAX_TEXT = 1100;

export interface Handled {
  readonly at: Date;
  readonly bucket: string;
  readonly key: string;
  readonly what: string;
}

export class LastHandled {
  readonly #items: Handled[] = [];

  add({ at, bucket, key, what }: Handled): void {
    this.#items.push({ at, bucket: cut(bucket), key: cut(key), what: cut(what) });
    if (this.#items.length > MAX_ITEMS) this.#items.shift();
  }

  /** Newest first. */
  list(): readonly Handled[] {
    return this.#items.toReversed();
  }
}

function cut(text: string): string {
  return text.length <= MAX_TEXT ? text : `${text.slice(0, MAX_TEXT)}…`;
}
