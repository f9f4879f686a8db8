/** The root item: which snapshot there is. It is replaced as a whole, after all that it names is there. */
import { z } from 'zod';
import { LEVEL_ERRORS, LevelError } from '../plugin.js';
import type { Items } from './items.js';

const SNAPSHOT = z.object({ generation: z.number().int().min(1), items: z.number().int().min(1) });
const ROOT = SNAPSHOT.extend({
  format: z.literal('jsonmemcached 1'),
  /** Stands in the keys of all other items. */
  space: z.string(),
  /** The process that wrote it. */
  writer: z.string(),
  /** Bytes in the snapshot's items. */
  bytes: z.number().int().min(1),
  /** Older snapshots, of which not everything may be deleted yet. */
  previous: z.array(SNAPSHOT),
});

export type SnapshotName = z.infer<typeof SNAPSHOT>;
export type Root = Omit<z.infer<typeof ROOT>, 'format'>;

/** @throws LevelError `corrupt` when the item is not what was written. */
export async function findRoot(items: Items, key: string): Promise<Root | undefined> {
  const value = await items.find(key);
  if (value === undefined) return undefined;
  const parsed = ROOT.safeParse(JSON.parse(value.toString()));
  if (parsed.success) return parsed.data;
  throw new LevelError(LEVEL_ERRORS.corrupt, `the memcached item "${key}" is of another program or version`);
}

/** Resolves with false when there was none, and another process has made one in between. */
export async function putRoot(items: Items, key: string, root: Root): Promise<boolean> {
  const value = Buffer.from(
    JSON.stringify({ format: 'jsonmemcached 1', ...root } satisfies z.infer<typeof ROOT>),
  );
  return (await items.replace(key, value)) || (await items.add(key, value));
}
