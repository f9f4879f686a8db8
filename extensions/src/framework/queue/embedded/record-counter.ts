/**
 * Counts the records of a topic by their line ends, which is cheap. What was counted is remembered: each byte
 * is read once, and once more by each group that has got there.
 */
import { type FileHandle, open } from 'node:fs/promises';
import { listSegments, type Position, segmentPath } from './segments.js';

const READ_BYTES = 256 * 1024;
const LINE_END = 0x0a;

/** The records that end in the first `bytes` of a segment. */
interface Counted {
  readonly segment: number;
  readonly bytes: number;
  readonly records: number;
}

export class RecordCounter {
  readonly #folder: string;
  readonly #segments = new Map<number, Counted>();
  readonly #groups = new Map<string, Counted>();
  #last: Promise<unknown> = Promise.resolve();

  constructor(folder: string) {
    this.#folder = folder;
  }

  /** The records from `position` on; `group` is where it goes on counting from the next time. */
  after(group: string, position: Position): Promise<number> {
    const counting = this.#last.then(() => this.#after(group, position));
    this.#last = counting.catch(() => undefined);
    return counting;
  }

  async #after(group: string, position: Position): Promise<number> {
    const segments = await listSegments(this.#folder);
    for (const segment of this.#segments.keys())
      if (!segments.includes(segment)) this.#segments.delete(segment);
    let records = 0;
    for (const segment of segments) {
      if (segment < position.segment) continue;
      const counted = await this.#countOn(this.#segments.get(segment), segment);
      this.#segments.set(segment, counted);
      records += counted.records;
    }
    if (!segments.includes(position.segment)) return records;
    const known = this.#groups.get(group);
    const isAhead = known?.segment === position.segment && known.bytes <= position.byte;
    const done = await this.#countOn(isAhead ? known : undefined, position.segment, position.byte);
    this.#groups.set(group, done);
    return Math.max(0, records - done.records);
  }

  /** Goes on from what is counted, to the end of the file or to `end`. */
  async #countOn(counted: Counted | undefined, segment: number, end = Infinity): Promise<Counted> {
    let { bytes, records } = counted ?? { bytes: 0, records: 0 };
    let handle: FileHandle;
    try {
      handle = await open(segmentPath(this.#folder, segment), 'r');
    } catch (err) {
      // Removed since it was listed: all groups have read it.
      if ((err as NodeJS.ErrnoException).code === 'ENOENT') return { segment, bytes: 0, records: 0 };
      throw err;
    }
    try {
      const buffer = Buffer.allocUnsafe(READ_BYTES);
      while (bytes < end) {
        const { bytesRead } = await handle.read(buffer, 0, Math.min(READ_BYTES, end - bytes), bytes);
        if (bytesRead === 0) break;
        const read = buffer.subarray(0, bytesRead);
        for (let at = read.indexOf(LINE_END); at >= 0; at = read.indexOf(LINE_END, at + 1)) records++;
        bytes += bytesRead;
      }
    } finally {
      await handle.close();
    }
    return { segment, bytes, records };
  }
}
