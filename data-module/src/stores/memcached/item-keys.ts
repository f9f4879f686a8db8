/**
 * Which items exist at which moment. A blob is its manifest, one item, and its chunks, numbered from 0.
 *
 * - While it is uploaded: chunks, each told to expire, so that those of a process that was killed go by themselves.
 * - When all are there: they are told to stay, one by one, and then the manifest is written. The blob exists.
 * - When it is deleted: the manifest goes first, then the chunks.
 *
 * The names may never change while there are filled servers.
 */
const PREFIX = 'zenko-data';

/** Holds the list of servers; on every server. */
export const SERVER_LIST_KEY = `${PREFIX}!servers`;

/** Comes and goes on every server, to find out whether it takes items of the size of a chunk. */
export const PROBE_KEY = `${PREFIX}!probe`;

export function manifestKey(blob: string): string {
  return `${PREFIX}:${blob}`;
}

export function chunkKey(blob: string, index: number): string {
  return `${PREFIX}:${blob}:${index}`;
}
