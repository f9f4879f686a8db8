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
/** What is held of each file before it is written. */
const BUFFER_CHARACTERS = 32 * 1024;

export class PartitionedLines {
  readonly #folder: string;
  readonly #pending = Array.from({ length: PARTITIONS }, () => '');
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
    const pending = `${this.#pending[partition] ?? ''}${line}\n`;
    this.#pending[partition] = pending;
    this.#count += 1;
    if (pending.length >= BUFFER_CHARACTERS) await this.#flush(partition);
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
    const text = this.#pending[partition] ?? '';
    this.#pending[partition] = '';
    if (text !== '') await appendFile(this.#file(partition), text, { mode: 0o600 });
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
