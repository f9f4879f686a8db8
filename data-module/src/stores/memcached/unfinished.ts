/**
 * Notes which blobs are coming or going: one empty file for each in the module's folder. Items of such a blob may lie
 * in memcached without its manifest, where nobody would find them again when the process is killed; the next start
 * reads the notes and removes them.
 *
 * A note outlives the process, not a power failure: it is not synced. What an upload left then expires.
 */
import { readdir, rename, rm, unlink, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { CatalogueError } from '@zenko-modules/common/errors';
import type { Logger } from '@zenko-modules/common/logger';

export interface UnfinishedBlob {
  readonly blob: string;
  /** How many chunks there may be of it. */
  readonly chunks: number;
}

type State = 'coming' | 'going';

const NOTE = /^([0-9a-f]+)\.(\d+)\.(coming|going)$/;

export class Unfinished {
  readonly #folder: string;
  readonly #log: Logger;
  /** The notes of this process, by blob. */
  readonly #notes = new Map<string, string>();

  /** @param folder of the notes, which is there */
  constructor(folder: string, log: Logger) {
    this.#folder = folder;
    this.#log = log;
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
   * The blobs that earlier processes have not finished; they are going now. One that is still running, which should
   * not be, finds the uploads that it has under way taken from it.
   */
  async takeOver(): Promise<UnfinishedBlob[]> {
    const taken: UnfinishedBlob[] = [];
    for (const name of await readdir(this.#folder)) {
      const [, blob = '', chunks, state] = NOTE.exec(name) ?? [];
      if (chunks === undefined) continue;
      const unfinished = { blob, chunks: Number(chunks) };
      const note = this.#path(unfinished, 'going');
      if (state === 'coming' && !(await claim(path.join(this.#folder, name), note))) continue;
      this.#notes.set(blob, note);
      taken.push(unfinished);
    }
    return taken;
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
    return path.join(this.#folder, `${blob}.${chunks}.${state}`);
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
