/**
 * Lines on disk, spread over files by the hash of a key: what has the same key comes to lie in the same file. Two sets of
 * lines, however large, are compared file by file, each a 256th of the whole in memory.
 */
import { createReadStream } from 'node:fs';
import { appendFile, mkdtemp, rm } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { splitLines } from './split-lines.js';

export const PARTITIONS = 256;
/** What is held of each file before it is written, in buffers: millions of short strings would be left to be collected. */
const BUFFER_BYTES = 16 * 1024;
const NOTHING = Buffer.alloc(0);

export class PartitionedLines {
  readonly #folder: string;
  readonly #pending = Array.from({ length: PARTITIONS }, () => NOTHING);
  readonly #filled = new Uint32Array(PARTITIONS);
  #count = 0;

  /** @param folder one that is empty, for this set alone */
  constructor(folder: string) {
    this.#folder = folder;
  }

  /** How many lines there are. */
  get count(): number {
    return this.#count;
  }

  /** Adds a line, which holds no line feed itself. */
  async add(key: string, line: string): Promise<void> {
    const partition = partitionOf(key);
    const bytes = Buffer.byteLength(line) + 1;
    this.#count += 1;
    if ((this.#filled[partition] ?? 0) + bytes > BUFFER_BYTES) await this.#flush(partition);
    if (bytes > BUFFER_BYTES) {
      await this.#append(partition, Buffer.from(`${line}\n`));
      return;
    }
    let pending = this.#pending[partition] ?? NOTHING;
    if (pending === NOTHING) this.#pending[partition] = pending = Buffer.allocUnsafeSlow(BUFFER_BYTES);
    const at = this.#filled[partition] ?? 0;
    pending.write(`${line}\n`, at);
    this.#filled[partition] = at + bytes;
  }

  /** The lines of one file, in the order in which they were added. */
  async *read(partition: number): AsyncGenerator<string, void, undefined> {
    await this.#flush(partition);
    const input = createReadStream(this.#file(partition), { flags: 'a+', start: 0 });
    try {
      yield* splitLines(input);
    } finally {
      input.destroy();
    }
  }

  async #flush(partition: number): Promise<void> {
    const filled = this.#filled[partition] ?? 0;
    if (filled === 0) return;
    const bytes = Buffer.from(this.#pending[partition]?.subarray(0, filled) ?? NOTHING);
    this.#filled[partition] = 0;
    await this.#append(partition, bytes);
  }

  #append(partition: number, bytes: Buffer): Promise<void> {
    return appendFile(this.#file(partition), bytes, { mode: 0o600 });
  }

  #file(partition: number): string {
    return path.join(this.#folder, String(partition));
  }
}

/** Runs `work` with a folder of its own, in TMPDIR, that is removed however it ends. */
export async function withScratchFolder<T>(work: (folder: string) => Promise<T>): Promise<T> {
  const folder = await mkdtemp(path.join(os.tmpdir(), 'zenko-modules-tools-'));
  try {
    return await work(folder);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** FNV-1a. */
function partitionOf(key: string): number {
  let hash = 0x811c_9dc5;
  for (let at = 0; at < key.length; at += 1) hash = Math.imul(hash ^ key.charCodeAt(at), 0x0100_0193);
  return (hash ^ (hash >>> 16)) & (PARTITIONS - 1);
}
