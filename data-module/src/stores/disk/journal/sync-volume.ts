/**
 * Brings all that was written to a file system to stable storage, with one call (`syncfs`). Node.js has none for it: the
 * command `sync -f`, which every Linux has, makes it.
 */
import { spawn } from 'node:child_process';

/** The system may have much to write, also of others. */
const LIMIT_MS = 10 * 60_000;

/** `failed`: the disk did not take something, and what that was is not said. `unknown`: the command did not get that far. */
export type SyncOutcome = 'synced' | 'failed' | 'unknown';

/**
 * @param fd of a file that has been open since before the first write that counts: by its name another file system may be
 * found, which was mounted since, and knows nothing of what this one has lost
 */
export function syncVolume(fd: number): Promise<SyncOutcome> {
  return new Promise(resolve => {
    const child = spawn('sync', ['-f', '/proc/self/fd/3'], {
      stdio: ['ignore', 'ignore', 'ignore', fd],
    });
    // Its own option would leave a timer behind when there is no such command.
    const timer = setTimeout(() => child.kill('SIGKILL'), LIMIT_MS);
    const end = (outcome: SyncOutcome): void => {
      clearTimeout(timer);
      resolve(outcome);
    };
    child.once('error', () => end('unknown'));
    child.once('exit', code => end(code === null ? 'unknown' : code === 0 ? 'synced' : 'failed'));
  });
}
