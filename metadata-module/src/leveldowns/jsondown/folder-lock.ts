/**
 * One process at a time in a folder. Node has no file locks, so an empty LevelDB is kept open in the
 * sub-folder `lock`: the operating system lets go of its lock when the process ends, however it ends.
 */
import path from 'node:path';
import { promisify } from 'node:util';
import { messageOf } from '@zenko-modules/common/errors';
import { leveldown } from '../leveldown-binding.js';
import { LEVEL_ERRORS, LevelError } from '../plugin.js';

type Done = (err?: Error | null) => void;

export class FolderLock {
  readonly #folder: string;
  readonly #level: ReturnType<typeof leveldown>;

  private constructor(folder: string) {
    this.#folder = folder;
    this.#level = leveldown(path.join(folder, 'lock'));
  }

  /**
   * Takes the lock of a folder, named by its real path.
   * @throws LevelError `fenced` when a process has it, `unavailable` when the folder cannot be written.
   */
  static async take(folder: string): Promise<FolderLock> {
    const lock = new FolderLock(folder);
    try {
      await lock.#open();
    } catch (err) {
      if (isHeld(err)) throw heldError(folder, err);
      await lock.#renew();
    }
    return lock;
  }

  async release(): Promise<void> {
    await promisify((done: Done) => this.#level.close(done))();
  }

  async #open(): Promise<void> {
    await promisify((done: Done) => this.#level.open(done))();
  }

  /** The lock's files hold nothing: when a crash has left them unreadable, new ones are as good. */
  async #renew(): Promise<void> {
    try {
      await promisify((done: Done) => leveldown.destroy(path.join(this.#folder, 'lock'), done))();
      await this.#open();
    } catch (err) {
      if (isHeld(err)) throw heldError(this.#folder, err);
      const message = `${this.#folder} cannot be locked: ${messageOf(err)}`;
      throw new LevelError(LEVEL_ERRORS.unavailable, message, { cause: err });
    }
  }
}

function isHeld(err: unknown): boolean {
  return /\block\b.*(?:already held|temporarily unavailable)/i.test(messageOf(err));
}

function heldError(folder: string, cause: unknown): LevelError {
  return new LevelError(LEVEL_ERRORS.fenced, `${folder} is in use by another process`, { cause });
}
