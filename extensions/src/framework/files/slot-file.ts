/**
 * A small state that is replaced in place, so that no full disk stops it: the file takes its room when it is
 * made. It has two slots of one sector each, which a disk writes whole or not at all:
 *
 *     {"write":8,"crc32":"<8 hex digits>","content":{…}}      padded with spaces to 512 bytes, the last one \n
 *
 * The slot with the higher number counts, and the other one is written next. So after a crash, or beside a
 * writer, a reader finds the old content or the new one. A file that is one line of JSON without a number is
 * read as its content: so older files open, and so may a person write one. That one becomes a file of slots
 * within the block that it has.
 */
import { randomUUID } from 'node:crypto';
import { type FileHandle, link, open, rm } from 'node:fs/promises';
import path from 'node:path';
import { crc32 } from 'node:zlib';
import { syncFolder } from '@zenko-modules/common/sync-folder';
import { z } from 'zod';

const SLOT_BYTES = 512;
const FILE_BYTES = 2 * SLOT_BYTES;

const slotSchema = z.strictObject({ write: z.int().min(1), crc32: z.string(), content: z.unknown() });

interface Slots {
  readonly content: unknown;
  /** Which one it stands in. */
  readonly index: 0 | 1;
  readonly write: number;
}

/**
 * The newest content; `undefined` when there is no such file.
 * @throws Error when no slot can be read.
 */
export async function readSlotFile(file: string): Promise<unknown> {
  const handle = await openIfThere(file, 'r');
  if (!handle) return undefined;
  try {
    const found = await newestSlot(handle);
    if (!found) throw new Error(`${file} is damaged: neither of its slots can be read`);
    return found.content;
  } finally {
    await handle.close();
  }
}

/** Replaces the content; on stable storage when it resolves. The file is made when it is missing. One writer at a time. */
export async function writeSlotFile(file: string, content: unknown): Promise<void> {
  const handle = await openIfThere(file, 'r+');
  if (!handle) return createSlotFile(file, content);
  try {
    const newest = await newestSlot(handle);
    const index = newest?.index === 0 ? 1 : 0;
    await handle.write(encodeSlot(content, (newest?.write ?? 0) + 1), 0, SLOT_BYTES, index * SLOT_BYTES);
    await handle.datasync();
  } finally {
    await handle.close();
  }
}

/** Makes the file, on stable storage when it resolves; leaves one that is there alone. Any number of writers may try at once. */
export async function createSlotFile(file: string, content: unknown): Promise<void> {
  const draft = `${file}.${randomUUID()}`;
  try {
    const handle = await open(draft, 'wx');
    try {
      await handle.writeFile(Buffer.concat([encodeSlot(content, 1), Buffer.alloc(SLOT_BYTES, ' ')]));
      await handle.sync();
    } finally {
      await handle.close();
    }
    await link(draft, file);
  } catch (err) {
    if ((err as NodeJS.ErrnoException).code !== 'EEXIST') throw err;
  } finally {
    await rm(draft, { force: true });
  }
  await syncFolder(path.dirname(file));
}

async function newestSlot(handle: FileHandle): Promise<Slots | undefined> {
  const { buffer, bytesRead } = await handle.read(Buffer.alloc(FILE_BYTES), 0, FILE_BYTES, 0);
  const [first, second] = [buffer.subarray(0, SLOT_BYTES), buffer.subarray(SLOT_BYTES)].map(decodeSlot);
  if (first && second) return first.write > second.write ? { ...first, index: 0 } : { ...second, index: 1 };
  if (first) return { ...first, index: 0 };
  if (second) return { ...second, index: 1 };
  const line = buffer.toString('utf8', 0, bytesRead).split('\n', 1)[0] ?? '';
  const content = parseJson(line);
  if (typeof content !== 'object' || content === null || 'crc32' in content) return undefined;
  return { content, index: 0, write: 0 };
}

function encodeSlot(content: unknown, write: number): Buffer {
  const line = JSON.stringify({ write, crc32: checksum(content, write), content });
  if (Buffer.byteLength(line) >= SLOT_BYTES) throw new Error(`${line.length} bytes do not fit into a slot`);
  const slot = Buffer.alloc(SLOT_BYTES, ' ');
  slot.write(line);
  slot.write('\n', SLOT_BYTES - 1);
  return slot;
}

function decodeSlot(slot: Buffer): { readonly content: unknown; readonly write: number } | undefined {
  const parsed = slotSchema.safeParse(parseJson(slot.toString('utf8')));
  if (!parsed.success) return undefined;
  const { content, write } = parsed.data;
  return checksum(content, write) === parsed.data.crc32 ? { content, write } : undefined;
}

function checksum(content: unknown, write: number): string {
  return crc32(`${write} ${JSON.stringify(content)}`)
    .toString(16)
    .padStart(8, '0');
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

async function openIfThere(file: string, flags: 'r' | 'r+'): Promise<FileHandle | undefined> {
  try {
    return await open(file, flags);
  } catch (err) {
    if ((err as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw err;
  }
}
