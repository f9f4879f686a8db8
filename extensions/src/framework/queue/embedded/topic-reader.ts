/** Reads a topic from a position, across its segments. It keeps one file open and at most one read buffer. */
import { type FileHandle, open } from 'node:fs/promises';
import type { Logger } from '@zenko-modules/common/logger';
import { decodeRecord, isBeginning, MAX_RECORD_BYTES, type StoredRecord } from './record-format.js';
import { listSegments, type Position, segmentPath } from './segments.js';

const READ_BYTES = 256 * 1024;

export interface PositionedRecord {
  readonly record: StoredRecord;
  readonly position: Position;
  /** Where the record after it starts. */
  readonly next: Position;
}

export class TopicReader {
  readonly #folder: string;
  readonly #log: Logger;
  #position: Position;
  #file: { readonly segment: number; readonly handle: FileHandle } | undefined;
  /** Bytes at the end of the file that are the beginning of a record. */
  #rest = 0;
  /** Such an end as it was when there was nothing to read the last time, and that was told of. */
  #seen: string | undefined;
  #told: string | undefined;

  constructor(folder: string, position: Position, log: Logger) {
    this.#folder = folder;
    this.#position = position;
    this.#log = log;
  }

  /** Where the next read starts. */
  get position(): Position {
    return this.#position;
  }

  /** The next records, as many as one buffer holds; empty when there are none at the moment. */
  async read(): Promise<PositionedRecord[]> {
    for (;;) {
      const records = await this.#readSegment();
      if (records.length > 0) return records;
      const newer = (await listSegments(this.#folder)).find(number => number > this.#position.segment);
      if (newer === undefined) {
        this.#tellBeginning();
        return [];
      }
      // What was acknowledged in this segment was written before the newer one appeared: look once more.
      const rest = await this.#readSegment();
      if (rest.length > 0) return rest;
      await this.#goTo(newer);
    }
  }

  async close(): Promise<void> {
    const file = this.#file;
    this.#file = undefined;
    await file?.handle.close();
  }

  async #goTo(segment: number): Promise<void> {
    const file = this.#file;
    if (file) {
      const unread = (await file.handle.stat()).size - this.#position.byte;
      if (unread > 0) {
        const where = { file: segmentPath(this.#folder, this.#position.segment), bytes: unread };
        this.#log.warn(
          where,
          'left out the end of a segment: its writer died while writing it, or it was damaged',
        );
      }
    }
    await this.close();
    this.#position = { segment, byte: 0 };
  }

  async #readSegment(): Promise<PositionedRecord[]> {
    const handle = await this.#open();
    if (!handle) return [];
    for (let size = READ_BYTES; ; size = Math.min(size * 4, MAX_RECORD_BYTES + 1)) {
      const { segment, byte } = this.#position;
      const { buffer, bytesRead } = await handle.read(Buffer.allocUnsafe(size), 0, size, byte);
      const records = this.#decode(buffer.subarray(0, bytesRead));
      if (records.length > 0) return records;
      if (bytesRead < size) {
        this.#lookAtEnd(buffer.subarray(this.#position.byte - byte, bytesRead));
        return [];
      }
      // Nothing whole in a full buffer: the record is larger than the buffer, or there was damage only.
      const moved = this.#position.byte > byte || this.#position.segment !== segment;
      if (!moved && size > MAX_RECORD_BYTES) {
        this.#log.error({ folder: this.#folder, segment, byte }, 'skipped damage larger than a record');
        this.#position = { segment, byte: byte + size };
      }
    }
  }

  /** Takes the whole records from the buffer and moves the position past them. */
  #decode(buffer: Buffer): PositionedRecord[] {
    const records: PositionedRecord[] = [];
    let offset = 0;
    for (;;) {
      const found = decodeRecord(buffer, offset);
      if (found.kind === 'incomplete') return records;
      const position = this.#position;
      const next = { segment: position.segment, byte: position.byte + found.bytes };
      if (found.kind === 'record') records.push({ record: found.record, position, next });
      else
        this.#log.error(
          { folder: this.#folder, ...position, bytes: found.bytes },
          'skipped a damaged record',
        );
      this.#position = next;
      offset += found.bytes;
    }
  }

  /** Looks at what is left at the end of a file, where no record ends. */
  #lookAtEnd(rest: Buffer): void {
    const { segment, byte } = this.#position;
    this.#rest = rest.length;
    if (rest.length === 0 || isBeginning(rest)) return;
    const where = { folder: this.#folder, segment, byte, bytes: rest.length };
    this.#log.error(where, 'skipped a damaged record at the end of a segment');
    this.#position = { segment, byte: byte + rest.length };
    this.#rest = 0;
  }

  /** The beginning of a record, after which nothing has come since the last look. */
  #tellBeginning(): void {
    const { segment, byte } = this.#position;
    const seen = this.#rest === 0 ? undefined : `${segment} ${byte} ${this.#rest}`;
    if (seen !== undefined && seen === this.#seen && seen !== this.#told) {
      this.#told = seen;
      this.#log.warn(
        { folder: this.#folder, segment, byte, bytes: this.#rest },
        'a segment ends within a record: its writer died while writing it, or its end was damaged',
      );
    }
    this.#seen = seen;
  }

  /** The file of the current segment; `undefined` when it is not there (any more). */
  async #open(): Promise<FileHandle | undefined> {
    if (this.#file?.segment === this.#position.segment) return this.#file.handle;
    await this.close();
    try {
      const handle = await open(segmentPath(this.#folder, this.#position.segment), 'r');
      this.#file = { segment: this.#position.segment, handle };
      return handle;
    } catch (err) {
      if ((err as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
      throw err;
    }
  }
}
