/**
 * Appends to a topic. A topic has one writer at a time, without a lock: the one that made the newest
 * segment. A writer that was overtaken sees the newer segment after its sync and before it acknowledges, and
 * then writes the same messages again, into a segment of its own. What had been acknowledged before the
 * newer segment appeared is found by every reader, because readers go on to a newer segment only after they
 * have read the older one to its end once more.
 *
 * A segment in which a write failed gets no more: what it holds may have been read, so that a position in it must
 * not come to mean another message. It is cut back to what was acknowledged, and when that is nothing, removed as
 * soon as a newer one is there. The newest segment is never removed, as its number is the last one given.
 *
 * The folder must be on a local file system: readers rely on seeing what was written before.
 */
import { constants } from 'node:fs';
import { type FileHandle, open, rm, stat, statfs } from 'node:fs/promises';
import { sleep } from '@zenko-modules/common/deadline';
import type { Logger } from '@zenko-modules/common/logger';
import { syncFolder } from '@zenko-modules/common/sync-folder';
import { SYNCED_BY_WRITE } from '@zenko-modules/common/synced-write';
import { type Message, QueueError } from '../queue.js';
import { RecordEncoder } from './record-format.js';
import { listSegments, segmentPath } from './segments.js';

/** More overtakings than this in one publish are no accident. */
const MAX_CLAIMS = 20;
/** What publishing leaves free, so that new groups can come to read, and thereby make room. */
const ROOM_FOR_GROUPS_BYTES = 64 * 1024;

/** What is known of the room on the disk counts for so long, … */
const ROOM_KNOWN_MS = 1000;
/** … and for this part of it: others write to the disk, too. */
const PART_OF_ROOM = 0.1;

const NEW_SEGMENT = constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL | SYNCED_BY_WRITE;

interface OwnSegment {
  readonly number: number;
  readonly handle: FileHandle;
  bytes: number;
}

export class TopicWriter {
  readonly #folder: string;
  readonly #segmentBytes: number;
  readonly #log: Logger;
  /** Called when a segment was begun, to remove older ones that nobody needs. */
  readonly #onNewSegment: () => void;
  readonly #encoder = new RecordEncoder();
  #segment: OwnSegment | undefined;
  /** Bytes that fit without asking, until then. */
  #knownRoom = 0;
  #roomKnownUntil = 0;
  #last: Promise<void> = Promise.resolve();

  constructor(folder: string, segmentBytes: number, log: Logger, onNewSegment: () => void) {
    this.#folder = folder;
    this.#segmentBytes = segmentBytes;
    this.#log = log;
    this.#onNewSegment = onNewSegment;
  }

  /**
   * Appends, one call after the other; on stable storage when it resolves.
   * @param fence rejects when this process may not write any more, see `PublishOptions`
   */
  append(messages: readonly Message[], fence?: () => Promise<void>): Promise<void> {
    const now = Date.now();
    const work = this.#last.then(() => this.#write(this.#encoder.encode(messages, now), fence));
    this.#last = work.catch(() => undefined);
    return work;
  }

  async close(): Promise<void> {
    await this.#last;
    await this.#leaveSegment();
  }

  async #write(data: Buffer, fence?: () => Promise<void>): Promise<void> {
    for (let claims = 0; claims < MAX_CLAIMS; claims++) {
      try {
        const segment = (this.#segment ??= await this.#claim(fence));
        await this.#checkRoom(data.length);
        await writeAll(segment.handle, data, segment.bytes);
        if (SYNCED_BY_WRITE === 0) await segment.handle.datasync();
        segment.bytes += data.length;
        const newest = (await listSegments(this.#folder)).at(-1);
        const overtaken = newest !== undefined && newest > segment.number;
        if (overtaken || segment.bytes >= this.#segmentBytes) await this.#leaveSegment();
        if (!overtaken) return;
        this.#log.info(
          { folder: this.#folder, newest },
          'another process writes this topic now: joining in again',
        );
        // Two that keep overtaking each other would both starve without a pause of random length.
        await sleep(Math.random() * 20 * 1.3 ** claims);
      } catch (err) {
        await this.#giveUpSegment();
        throw new QueueError('UNAVAILABLE', `cannot write to ${this.#folder}`, { cause: err });
      }
    }
    throw new QueueError('UNAVAILABLE', `other processes keep taking ${this.#folder} over`);
  }

  async #claim(fence?: () => Promise<void>): Promise<OwnSegment> {
    for (;;) {
      const older = await listSegments(this.#folder);
      const number = (older.at(-1) ?? 0) + 1;
      let handle: FileHandle | undefined;
      try {
        handle = await open(segmentPath(this.#folder, number), NEW_SEGMENT);
        // The name must be durable before a reader can commit a position in it, and before an older one goes.
        await syncFolder(this.#folder);
        await this.#removeEmpty(older);
        this.#onNewSegment();
        // Asked when the segment is there: whoever takes over later writes into one that is read after it.
        await fence?.();
        return { number, handle, bytes: 0 };
      } catch (err) {
        await handle?.close();
        if ((err as NodeJS.ErrnoException).code !== 'EEXIST') throw err;
      }
    }
  }

  /** The last ones that are empty: nothing that comes into them now that there is a newer one is ever acknowledged. */
  async #removeEmpty(segments: readonly number[]): Promise<void> {
    for (const number of segments.toReversed()) {
      const file = segmentPath(this.#folder, number);
      const isEmpty = await stat(file).then(
        ({ size }) => size === 0,
        () => false,
      );
      if (!isEmpty) return;
      await rm(file, { force: true });
    }
  }

  /** @throws Error when `bytes` more would leave too little room. */
  async #checkRoom(bytes: number): Promise<void> {
    this.#knownRoom -= bytes;
    if (this.#knownRoom >= 0 && performance.now() < this.#roomKnownUntil) return;
    const { bavail, bsize } = await statfs(this.#folder);
    const free = bavail * bsize;
    if (free < bytes + ROOM_FOR_GROUPS_BYTES) {
      this.#knownRoom = 0;
      throw new Error(`the disk is full: ${free} bytes are free, and ${bytes} do not fit`);
    }
    this.#knownRoom = (free - bytes - ROOM_FOR_GROUPS_BYTES) * PART_OF_ROOM;
    this.#roomKnownUntil = performance.now() + ROOM_KNOWN_MS;
  }

  /** What is in the segment now is unknown: nothing may follow it. */
  async #giveUpSegment(): Promise<void> {
    const segment = this.#segment;
    await segment?.handle.truncate(segment.bytes).catch((err: unknown) => {
      this.#log.warn({ err, folder: this.#folder }, 'cannot cut back a segment in which a write failed');
    });
    await this.#leaveSegment();
  }

  async #leaveSegment(): Promise<void> {
    const segment = this.#segment;
    this.#segment = undefined;
    await segment?.handle.close();
  }
}

async function writeAll(handle: FileHandle, data: Buffer, position: number): Promise<void> {
  let written = 0;
  while (written < data.length) {
    const { bytesWritten } = await handle.write(data, written, data.length - written, position + written);
    written += bytesWritten;
  }
}
