/**
 * Brings all that was written to a file system to stable storage, with one call (`syncfs`). Node.js has none for it: Perl,
 * which every Debian has, makes it.
 *
 * The system tells each open file once what was lost since it was opened. So the call has to be made on one that has been open
 * since before the writes. The command `sync -f` opens it anew: it hears nothing of what somebody else was told already,
 * another worker or whoever else has synced the file system.
 */
import { spawn } from 'node:child_process';

/** The system may have much to write, also of others. */
const LIMIT_MS = 10 * 60_000;

/** The number of the call on Linux, by `process.arch`. */
const SYNCFS: Readonly<Record<string, number>> = {
  x64: 306,
  arm64: 267,
  riscv64: 267,
  loong64: 267,
  s390x: 338,
  ppc64: 348,
};
/** Exit code for a disk that did not take something; no other program, and no Perl that cannot make the call, ends with it. */
const FAILED = 77;
const [ENOSYS, EPERM] = [38, 1];

/** `failed`: the disk did not take something, and what that was is not said. `unknown`: the call could not be made. */
export type SyncOutcome = 'synced' | 'failed' | 'unknown';

/** @param fd of a file that has been open since before the first write that counts */
export function syncVolume(fd: number): Promise<SyncOutcome> {
  const call = process.platform === 'linux' ? SYNCFS[process.arch] : undefined;
  if (call === undefined) return Promise.resolve('unknown');
  const program = `exit 0 if syscall(${call}, 3) == 0; exit($! == ${ENOSYS} || $! == ${EPERM} ? 1 : ${FAILED})`;
  return new Promise(resolve => {
    const child = spawn('perl', ['-e', program], { stdio: ['ignore', 'ignore', 'ignore', fd] });
    // Its own option would leave a timer behind when there is no such command.
    const timer = setTimeout(() => child.kill('SIGKILL'), LIMIT_MS);
    const end = (outcome: SyncOutcome): void => {
      clearTimeout(timer);
      resolve(outcome);
    };
    child.once('error', () => end('unknown'));
    child.once('exit', code => end(code === 0 ? 'synced' : code === FAILED ? 'failed' : 'unknown'));
  });
}
