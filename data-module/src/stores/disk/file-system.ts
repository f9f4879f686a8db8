/** What kind of file system a volume lies on, as far as that saves calls. What cannot be told saves none. */
import { readFile, stat, statfs } from 'node:fs/promises';
import { messageOf } from '@zenko-modules/common/errors';
import type { Logger } from '@zenko-modules/common/logger';

export interface FileSystem {
  /** Closing a file that was only read asks nobody else. Over a network, or in a process (FUSE), it may wait for an answer. */
  readonly isLocal: boolean;
  /**
   * The sync of a file that was renamed brings its name to stable storage with it: the rename has changed the file's own
   * entry in the journal, and the journal is written in order. Elsewhere the folder must be synced for that.
   */
  readonly syncsNames: boolean;
}

/** As `statfs` of Linux tells them. */
const LOCAL_TYPES: ReadonlySet<number> = new Set([
  0xef53, // ext2, ext3, ext4
  0x58465342, // xfs
  0x9123683e, // btrfs
  0x01021994, // tmpfs
]);

/** By the names of their drivers: that of ext2, which has no journal, tells `statfs` the same number as ext4. */
const NAME_SYNCING_DRIVERS: ReadonlySet<string> = new Set(['ext4', 'xfs']);

export async function fileSystemOf(folder: string, log: Logger): Promise<FileSystem> {
  if (process.platform !== 'linux') return { isLocal: false, syncsNames: false };
  try {
    const { type } = await statfs(folder);
    const { dev } = await stat(folder);
    const driver = driverOf(dev, await readFile('/proc/self/mountinfo', 'utf8'));
    return {
      isLocal: LOCAL_TYPES.has(type),
      syncsNames: driver !== undefined && NAME_SYNCING_DRIVERS.has(driver),
    };
  } catch (err) {
    log.debug({ folder, reason: messageOf(err) }, 'cannot tell what file system the volume lies on');
    return { isLocal: false, syncsNames: false };
  }
}

/** The driver of device `dev`, by the table of mounts that Linux gives. */
export function driverOf(dev: number, mounts: string): string | undefined {
  const number = `${(dev >>> 8) & 0xfff}:${(dev & 0xff) | ((dev >>> 12) & 0xfff00)}`;
  for (const line of mounts.split('\n')) {
    const [, , device] = line.split(' ', 3);
    if (device === number) return / - (\S+) /.exec(line)?.[1];
  }
  return undefined;
}
