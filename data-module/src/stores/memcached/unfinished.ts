/**
 * Notes which blobs are coming or going: one empty file for each in the module's folder. Items of such a blob may lie
 * in memcached without its manifest, where nobody would find them again when the process is killed; the next start
 * reads the notes and removes them.
 *
 * Notes are not synced, so they mean something only as long as the system that they were made on runs: after a power
 * failure one may be missing, or be there again although its upload was acknowledged. What an upload left then expires.
 */
import { randomUUID } from 'node:crypto';
import { readdir, readFile, rename, rm, unlink, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { CatalogueError } from '@zenko-modules/common/errors';
import type { Logger } from '@zenko-modules/common/logger';

export interface UnfinishedBlob {
  readonly blob: string;
  /** How many chunks there may be of it. */
  readonly chunks: number;
}

type State = 'coming' | 'going';

const NOTE = /^([0-9a-f]+)\.(\d+)\.(coming|going)\.([0-9a-f-]+)$/;
const BOOT_ID_FILE = '/proc/sys/kernel/random/boot_id';

export class Unfinished {
  readonly #folder: string;
  readonly #bootId: string;
  readonly #log: Logger;
  /** The notes of this process, by blob. */
  readonly #notes = new Map<string, string>();

  private constructor(folder: string, bootId: string, log: Logger) {
    this.#folder = folder;
    this.#bootId = bootId;
    this.#log = log;
  }

  /**
   * @param folder of the notes, which is there
   * @param bootId tells this run of the system from those before; where the system gives none, every process has its own.
   */
  static async open(folder: string, log: Logger, bootId?: string): Promise<Unfinished> {
    return new Unfinished(folder, bootId ?? (await systemBootId()), log);
  }

  /** Call it before anything of a new blob is stored for good. `ServiceUnavailable` when the folder cannot be written. */
  comes(blob: UnfinishedBlob): Promise<void> {
    return this.#note(blob, 'coming');
  }

  /**
   * Call it when all of a new blob is stored, before anybody learns of it. Resolves with false when another process has
   * taken the note over, and removes the blob: it must not be acknowledged then.
   */
  async hasCome(blob: string): Promise<boolean> {
    const note = this.#notes.get(blob);
    this.#notes.delete(blob);
    if (note === undefined) return false;
    try {
      await unlink(note);
      return true;
    } catch (err) {
      if ((err as NodeJS.ErrnoException).code === 'ENOENT') return false;
      throw this.#named(err);
    }
  }

  /** Call it before the manifest is deleted. `ServiceUnavailable` when the folder cannot be written. */
  goes(blob: UnfinishedBlob): Promise<void> {
    return this.#note(blob, 'going');
  }

  /** Call it when nothing is left of the blob. Never rejects: at worst the next start looks for it once more. */
  async hasGone(blob: string): Promise<void> {
    const note = this.#notes.get(blob);
    this.#notes.delete(blob);
    if (note === undefined) return;
    await rm(note, { force: true }).catch((err: unknown) =>
      this.#log.warn({ err, note }, 'cannot remove a note'),
    );
  }

  /**
   * The blobs that earlier processes have not finished; they are going now, but for uploads of before the system was
   * started, which may have been acknowledged. One that is still running, which should
   * not be, finds the uploads that it has under way taken from it.
   * @param abandoned more folders with notes, of processes that are no more
   */
  async takeOver(abandoned: readonly string[] = []): Promise<UnfinishedBlob[]> {
    const taken: UnfinishedBlob[] = [];
    const folders = [this.#folder, ...abandoned];
    const found = await Promise.all(
      folders.map(async folder => (await readdir(folder)).map(name => path.join(folder, name))),
    );
    for (const note of found.flat()) await this.#take(note, taken);
    return taken;
  }

  async #take(found: string, taken: UnfinishedBlob[]): Promise<void> {
    const [, blob = '', chunks, state, bootId] = NOTE.exec(path.basename(found)) ?? [];
    if (chunks === undefined) return;
    if (state === 'coming' && bootId !== this.#bootId) {
      await rm(found, { force: true });
      return;
    }
    const unfinished = { blob, chunks: Number(chunks) };
    const note = this.#path(unfinished, 'going');
    if (found !== note && !(await claim(found, note))) return;
    this.#notes.set(blob, note);
    taken.push(unfinished);
  }

  async #note(blob: UnfinishedBlob, state: State): Promise<void> {
    const note = this.#path(blob, state);
    try {
      await writeFile(note, '');
    } catch (err) {
      throw this.#named(err);
    }
    this.#notes.set(blob.blob, note);
  }

  #path({ blob, chunks }: UnfinishedBlob, state: State): string {
    return path.join(this.#folder, `${blob}.${chunks}.${state}.${this.#bootId}`);
  }

  #named(err: unknown): CatalogueError {
    const code = (err as NodeJS.ErrnoException).code ?? '';
    return new CatalogueError('ServiceUnavailable', `the folder ${this.#folder} cannot be used (${code})`, {
      cause: err,
    });
  }
}

/** Whether the note was still there. */
async function claim(from: string, to: string): Promise<boolean> {
  try {
    await rename(from, to);
    return true;
  } catch (err) {
    if ((err as NodeJS.ErrnoException).code === 'ENOENT') return false;
    throw err;
  }
}

async function systemBootId(): Promise<string> {
  try {
    return (await readFile(BOOT_ID_FILE, 'latin1')).trim();
  } catch {
    return randomUUID();
  }
}
