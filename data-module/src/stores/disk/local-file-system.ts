import { statfs } from 'node:fs/promises';

/** As `statfs` of Linux tells them. */
const LOCAL_TYPES: ReadonlySet<number> = new Set([
  0xef53, // ext4
  0x58465342, // xfs
  0x9123683e, // btrfs
  0x01021994, // tmpfs
]);

/**
 * Whether closing a file that was only read asks nobody else there. Over a network, or in a process (FUSE), it may wait for
 * an answer. False when that cannot be told.
 */
export async function isLocalFileSystem(folder: string): Promise<boolean> {
  if (process.platform !== 'linux') return false;
  return statfs(folder).then(
    ({ type }) => LOCAL_TYPES.has(type),
    () => false,
  );
}
