/**
 * How far each extension has read the record log. It is saved after the messages of what was read are on stable
 * storage. One that is new begins where the one is that is furthest behind.
 */
import { z } from 'zod';

export const cursorSchema = z.object({
  nextSeq: z.int().min(1),
  lastRecord: z.string().optional(),
});

export interface Cursor {
  /** Sequence number of the next record. */
  readonly nextSeq: number;
  /** What the record before it looked like, to notice a log that was replaced. */
  readonly lastRecord?: string | undefined;
}

export const LOG_START: Cursor = { nextSeq: 1 };

/** Where cursors are kept. The name '' is that of populators that had one cursor for all extensions. */
export interface CursorPlace {
  read(extension: string): Promise<Cursor | undefined>;
  /** On stable storage when it resolves. */
  save(extension: string, cursor: Cursor): Promise<void>;
  /** Forgets those of extensions that are not among `names`. */
  keepOnly(names: ReadonlySet<string>): Promise<void>;
}

export class Cursors {
  readonly #place: CursorPlace;
  readonly #cursors: Map<string, Cursor>;

  private constructor(place: CursorPlace, cursors: Map<string, Cursor>) {
    this.#place = place;
    this.#cursors = cursors;
  }

  /** Those of `extensions`. @throws StartError when one is damaged. */
  static async load(place: CursorPlace, extensions: readonly string[]): Promise<Cursors> {
    const own = new Map<string, Cursor>();
    for (const name of extensions) {
      const cursor = await place.read(name);
      if (cursor) own.set(name, cursor);
    }
    const others = own.size > 0 ? lowestOf(own) : await place.read('');
    const cursors = extensions.map(name => [name, own.get(name) ?? others ?? LOG_START] as const);
    return new Cursors(place, new Map(cursors));
  }

  get(extension: string): Cursor {
    return this.#cursors.get(extension) ?? LOG_START;
  }

  /** That of the extension that is furthest behind: what it has not read is still needed. */
  get lowest(): Cursor {
    return lowestOf(this.#cursors);
  }

  /** On stable storage when it resolves. */
  async save(extension: string, cursor: Cursor): Promise<void> {
    await this.#place.save(extension, cursor);
    this.#cursors.set(extension, cursor);
  }

  /**
   * To be called before the log is read. All keep their place from now on, however long they are held up, also those
   * that are new or came from where they were kept before. Those of other extensions are forgotten: one that is
   * switched on again begins as a new one.
   */
  async begin(): Promise<void> {
    // The lowest first: those that one which ends half-way has not saved begin where the lowest is.
    const ascending = [...this.#cursors].sort(([, a], [, b]) => a.nextSeq - b.nextSeq);
    for (const [name, cursor] of ascending) await this.save(name, cursor);
    await this.#place.keepOnly(new Set(this.#cursors.keys()));
  }
}

function lowestOf(cursors: ReadonlyMap<string, Cursor>): Cursor {
  const [first = LOG_START, ...others] = cursors.values();
  return others.reduce((lowest, cursor) => (cursor.nextSeq < lowest.nextSeq ? cursor : lowest), first);
}
