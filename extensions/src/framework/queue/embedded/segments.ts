/**
 * The files of one topic, and the positions in them.
 *
 *     <queue>/<topic>/0000000000000001.log, 0000000000000002.log, …
 *
 * Every writer starts a segment of its own, with the next number: whoever made the newest one is the
 * topic's writer, and an older writer finds that out before it acknowledges (see `TopicWriter`). So what a
 * crash left half-written stays the end of its segment, and nothing is ever written after it.
 *
 * A position is `<segment>-<byte>`, both with leading zeros, so that positions compare as texts. As a new
 * writer never continues a segment, a position that was handed out means the same message for ever.
 */
import { readdir } from 'node:fs/promises';
import path from 'node:path';

const SEGMENT_FILE = /^(\d{16})\.log$/;
const POSITION = /^(\d{16})-(\d{12})$/;

export interface Position {
  readonly segment: number;
  readonly byte: number;
}

export const START: Position = { segment: 0, byte: 0 };

export function segmentPath(folder: string, segment: number): string {
  return path.join(folder, `${String(segment).padStart(16, '0')}.log`);
}

/** The numbers of a topic's segments, ascending. */
export async function listSegments(folder: string): Promise<number[]> {
  return (await readdir(folder))
    .map(name => SEGMENT_FILE.exec(name)?.[1])
    .filter(digits => digits !== undefined)
    .map(Number)
    .sort((a, b) => a - b);
}

export function formatPosition({ segment, byte }: Position): string {
  return `${String(segment).padStart(16, '0')}-${String(byte).padStart(12, '0')}`;
}

/** @throws Error when `text` is no position. */
export function parsePosition(text: string): Position {
  const match = POSITION.exec(text);
  if (!match) throw new Error(`"${text}" is no position in a topic`);
  return { segment: Number(match[1]), byte: Number(match[2]) };
}
