/**
 * What LevelDB would drop from its log without a word: when it opens a database it passes over every record
 * whose checksum is wrong, and over what shares its block.
 *
 * A log is blocks of 32 KiB. A record is 4 bytes of masked CRC-32C over type and data, 2 of length, 1 of type
 * (1 to 4), and data; it never crosses a block. A write is one record or several, synced before it is
 * acknowledged, and the next write comes after that. So a write that a crash cut off is the last thing in the
 * log: shorter than it says, or with sectors of zeros where its data had not reached the disk. Damage anywhere
 * else, or of another form, hits what was acknowledged.
 */
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { crc32c } from '@node-rs/crc32';
import { filesOf, isLog } from './leveldb-files.js';

const BLOCK = 32 * 1024;
const HEADER = 7;
const [FULL, FIRST, LAST] = [1, 2, 4];
/** The least that a disk writes as a whole. */
const SECTOR = 512;

export interface LogDamage {
  /** Where in the file it begins, and how many bytes of it cannot be read. */
  readonly offset: number;
  readonly bytes: number;
}

/** One line for each damaged place in the logs of the LevelDB in `folder`, which must not be open. */
export async function describeLogDamage(folder: string): Promise<string[]> {
  const found: string[] = [];
  for (const name of (await filesOf(folder)).filter(isLog)) {
    for (const { offset, bytes } of findLogDamage(await readFile(path.join(folder, name)))) {
      found.push(`${name}: ${bytes} bytes at byte ${offset} are damaged`);
    }
  }
  return found;
}

/** Damage to what was acknowledged; a last write that a crash cut off is none. */
export function findLogDamage(log: Buffer): LogDamage[] {
  const found: LogDamage[] = [];
  let damagedAt: number | undefined;
  /** The write that is damaged goes on behind the damage. */
  let goesOn = false;
  let at = 0;
  while (at < log.length) {
    const end = blockEnd(log, at);
    const next = recordEnd(log, at, end);
    if (next !== undefined) {
      if (damagedAt !== undefined && isStart(log, at)) {
        found.push({ offset: damagedAt, bytes: at - damagedAt });
        damagedAt = undefined;
      }
      goesOn = damagedAt !== undefined;
      at = next;
    } else if (end - at < HEADER && isZero(log.subarray(at, end)) && end - blockStart(at) === BLOCK) {
      at = end; // the rest of a block in which no header has room
    } else {
      damagedAt ??= at;
      at += 1; // a record whose length is wrong has others behind it
    }
  }
  if (damagedAt !== undefined && !isCutOff(log, damagedAt, goesOn)) {
    found.push({ offset: damagedAt, bytes: log.length - damagedAt });
  }
  return found;
}

/** What was written to a log, up to the first place that cannot be read. LevelDB keeps its manifest in the same form. */
export function* writesIn(log: Buffer): Generator<Buffer, void, undefined> {
  let parts: Buffer[] = [];
  for (let at = 0; at < log.length;) {
    const end = blockEnd(log, at);
    const next = recordEnd(log, at, end);
    if (next === undefined) {
      if (end - at >= HEADER) return;
      at = end;
      continue;
    }
    const type = log[at + 6];
    if (type === FULL || type === FIRST) parts = [];
    parts.push(log.subarray(at + HEADER, next));
    if (type === FULL || type === LAST) yield Buffer.concat(parts);
    at = next;
  }
}

/** Where the record at `at` ends, or `undefined` when there is none that is whole. */
function recordEnd(log: Buffer, at: number, end: number): number | undefined {
  if (end - at < HEADER) return undefined;
  const type = log[at + 6] ?? 0;
  const next = at + HEADER + log.readUInt16LE(at + 4);
  if (type === 0 || type > LAST || next > end) return undefined;
  return isIntact(log, at, next) ? next : undefined;
}

function isIntact(log: Buffer, at: number, next: number): boolean {
  return log.readUInt32LE(at) === maskedCrc(log.subarray(at + 6, next));
}

/** Whether the record is a write of its own, or the first of one. */
function isStart(log: Buffer, at: number): boolean {
  const type = log[at + 6];
  return type === FULL || type === FIRST;
}

/** Whether what begins at `at` and goes up to the end of the log looks as a crash leaves it. */
function isCutOff(log: Buffer, at: number, goesOn: boolean): boolean {
  if (log.length - at < HEADER || hasZeroSector(log, at)) return true;
  const isShort = !goesOn && at + HEADER + log.readUInt16LE(at + 4) > log.length;
  // Whole but for its length, which says too much: it was not cut off.
  return isShort && !isIntact(log, at, log.length);
}

function hasZeroSector(log: Buffer, from: number): boolean {
  for (let start = Math.floor(from / SECTOR) * SECTOR; start < log.length; start += SECTOR) {
    const sector = log.subarray(Math.max(start, from), Math.min(start + SECTOR, log.length));
    if (sector.length >= Math.min(SECTOR, log.length - from) && isZero(sector)) return true;
  }
  return false;
}

function isZero(bytes: Buffer): boolean {
  return bytes.every(byte => byte === 0);
}

function blockStart(at: number): number {
  return at - (at % BLOCK);
}

function blockEnd(log: Buffer, at: number): number {
  return Math.min(blockStart(at) + BLOCK, log.length);
}

/** LevelDB stores checksums rotated, with a constant added. */
export function maskedCrc(bytes: Buffer): number {
  const crc = crc32c(bytes);
  return (((crc >>> 15) | (crc << 17)) + 0xa282ead8) >>> 0;
}
