import { statfs } from 'node:fs/promises';

/** In bytes; `available` is what this user may still write. */
export interface DiskUsage {
  readonly available: number;
  readonly free: number;
  readonly total: number;
}

/** Of the file system that holds `folder`. */
export async function diskUsageOf(folder: string): Promise<DiskUsage> {
  const { bavail, bfree, blocks, bsize } = await statfs(folder);
  return { available: bavail * bsize, free: bfree * bsize, total: blocks * bsize };
}
