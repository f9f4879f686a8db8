/**
 * Brings all that was written to a file system to stable storage, with one call (`syncfs`). Node.js has none for it: the
 * command `sync -f`, which every Linux has, makes it.
 */
import { spawn } from 'node:child_process';

/** The system may have much to write, also of others. */
const LIMIT_MS = 10 * 60_000;

/** `failed`: the disk did not take something, and what that was is not said. `unknown`: the command did not get that far. */
export type SyncOutcome = 'synced' | 'failed' | 'unknown';

export class VolumeSync {
  /** A command that does not know -f fails as one whose disk does. */
  #isThere: Promise<boolean> | undefined;

  /**
   * @param fd of a file that has been open since before the first write that counts: by its name another file system may be
   * found, which was mounted since, and knows nothing of what this one has lost
   */
  async sync(fd: number): Promise<SyncOutcome> {
    // Where there is nothing to be written.
    this.#isThere ??= run('/proc/self', 'ignore').then(code => code === 0);
    if (!(await this.#isThere)) return 'unknown';
    const code = await run('/proc/self/fd/3', fd);
    return code === undefined ? 'unknown' : code === 0 ? 'synced' : 'failed';
  }
}

/** Resolves with the exit code, or `undefined` when there is none. */
function run(file: string, fd: number | 'ignore'): Promise<number | undefined> {
  return new Promise(resolve => {
    const child = spawn('sync', ['-f', file], { stdio: ['ignore', 'ignore', 'ignore', fd] });
    // Its own option would leave a timer behind when there is no such command.
    const timer = setTimeout(() => child.kill('SIGKILL'), LIMIT_MS);
    const end = (code: number | undefined): void => {
      clearTimeout(timer);
      resolve(code);
    };
    child.once('error', () => end(undefined));
    child.once('exit', code => end(code ?? undefined));
  });
}
