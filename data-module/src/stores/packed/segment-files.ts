/** The files of segments: their names, and reading from them with a bounded number of open files. */
import { mkdir, readdir, rename, rm } from 'node:fs/promises';
import path from 'node:path';
import { syncFolder } from '@zenko-modules/common/sync-folder';
import type { FileCalls, OpenFile } from '../disk/file-calls.js';

/** Files that are kept open for the next reader. */
const MAX_OPEN = 256;
const SEGMENT = /^(\d{8})\.seg$/;
const HINT = /^(\d{8})\.hint$/;
/** The highest number that a name has room for. */
export const MAX_SEGMENT = 99_999_999;

/** A file that is open for reading. */
interface OpenSegment {
  readonly file: Promise<OpenFile>;
  readers: number;
  /** Called when the last reader has gone. */
  onIdle: (() => void) | undefined;
}

export interface FoundFiles {
  readonly segments: readonly number[];
  readonly hints: readonly number[];
}

export class SegmentFiles {
  readonly #calls: FileCalls;
  readonly #folder: string;
  readonly #damaged: string;
  /** The one that was read last comes last. */
  readonly #open = new Map<number, OpenSegment>();

  /** `folder` and `damaged` are made when missing by `prepare`. */
  constructor(calls: FileCalls, folder: string, damaged: string) {
    this.#calls = calls;
    this.#folder = folder;
    this.#damaged = damaged;
  }

  get folder(): string {
    return this.#folder;
  }

  segmentFile(segment: number): string {
    return path.join(this.#folder, `${numbered(segment)}.seg`);
  }

  hintFile(segment: number): string {
    return path.join(this.#folder, `${numbered(segment)}.hint`);
  }

  /** Makes the folders, removes files without a name yet, and says which segments and hint files there are, in order. */
  async prepare(): Promise<FoundFiles> {
    await mkdir(this.#folder, { recursive: true });
    await mkdir(this.#damaged, { recursive: true });
    await syncFolder(path.dirname(this.#folder));
    const names = await readdir(this.#folder);
    for (const name of names.filter(each => each.endsWith('.tmp'))) await rm(path.join(this.#folder, name));
    const numbers = (form: RegExp): number[] =>
      names
        .flatMap(name => form.exec(name)?.[1] ?? [])
        .map(Number)
        .sort((a, b) => a - b);
    return { segments: numbers(SEGMENT), hints: numbers(HINT) };
  }

  /**
   * Up to `length` bytes from `offset`, fewer where the file ends. Once it is called the file is not removed before the
   * read has ended.
   */
  async read(segment: number, offset: number, length: number): Promise<Buffer> {
    const held = this.#acquire(segment);
    try {
      const bytes = Buffer.allocUnsafe(length);
      const file = await held.file;
      return bytes.subarray(0, length === 0 ? 0 : await file.read(bytes, length, offset));
    } finally {
      this.#release(segment, held);
    }
  }

  /** Removes a segment that no record of the index is in, and its hint file, when no reader has it open any more. */
  async remove(segment: number): Promise<void> {
    await this.#closed(segment);
    await rm(this.segmentFile(segment));
    await syncFolder(this.#folder);
    await rm(this.hintFile(segment), { force: true });
  }

  /** The same, with the segment kept in the folder of damaged ones. */
  async setAside(segment: number): Promise<void> {
    await this.#closed(segment);
    await rename(this.segmentFile(segment), path.join(this.#damaged, `${numbered(segment)}.seg`));
    await syncFolder(this.#damaged);
    await syncFolder(this.#folder);
    await rm(this.hintFile(segment), { force: true });
  }

  /** Resolves when every file is closed. Reads under way end first. */
  async close(): Promise<void> {
    await Promise.all([...this.#open.keys()].map(segment => this.#closed(segment)));
  }

  #acquire(segment: number): OpenSegment {
    const held = this.#open.get(segment) ?? {
      file: this.#calls.open(this.segmentFile(segment), 'r'),
      readers: 0,
      onIdle: undefined,
    };
    held.readers += 1;
    this.#open.delete(segment);
    this.#open.set(segment, held);
    if (this.#open.size > MAX_OPEN) this.#closeOldest();
    return held;
  }

  #release(segment: number, held: OpenSegment): void {
    held.readers -= 1;
    if (held.readers > 0) return;
    // One that could not be opened is tried again by the next reader.
    held.file.catch(() => this.#open.get(segment) === held && this.#open.delete(segment));
    held.onIdle?.();
  }

  #closeOldest(): void {
    for (const [segment, held] of this.#open) {
      if (held.readers > 0) continue;
      this.#open.delete(segment);
      void closeHeld(held);
      return;
    }
  }

  async #closed(segment: number): Promise<void> {
    const held = this.#open.get(segment);
    if (held === undefined) return;
    if (held.readers > 0) {
      await new Promise<void>(resolve => {
        held.onIdle = resolve;
      });
    }
    this.#open.delete(segment);
    await closeHeld(held);
  }
}

function numbered(segment: number): string {
  return String(segment).padStart(8, '0');
}

/** Nothing was written through it, so there is nothing that closing it could lose. */
async function closeHeld({ file }: OpenSegment): Promise<void> {
  await file.then(open => open.close()).catch(() => undefined);
}
