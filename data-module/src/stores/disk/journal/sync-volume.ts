/**
 * Brings all that was written to a file system to stable storage, with one call (`syncfs`). Node.js has none for it: the
 * command `sync -f`, which every Linux has, makes it.
 */
import { execFile } from 'node:child_process';

/** The system may have much to write, also of others. */
const LIMIT_MS = 10 * 60_000;

/** `failed`: the disk did not take something, and what that was is not said. `unknown`: the command did not get that far. */
export type SyncOutcome = 'synced' | 'failed' | 'unknown';

export function syncVolume(folder: string, limitMs = LIMIT_MS): Promise<SyncOutcome> {
  return new Promise(resolve => {
    execFile('sync', ['-f', folder], { timeout: limitMs }, err => {
      if (err === null) resolve('synced');
      else resolve(typeof err.code === 'number' ? 'failed' : 'unknown');
    });
  });
}
