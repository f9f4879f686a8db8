/**
 * What this machine knows of the store, in a file of the metadata folder: without it, a memcached that lost
 * everything would look like one that never held anything.
 */
import { readFile } from 'node:fs/promises';
import { z } from 'zod';
import { messageOf } from '@zenko-modules/common/errors';
import { isMissing, replaceFile } from '../jsondown/files.js';
import { LEVEL_ERRORS, LevelError } from '../plugin.js';

const MARKER = z.object({
  format: z.literal('jsonmemcached 1'),
  /** Stands in the keys of all items but the root. */
  space: z.string().regex(/^[0-9a-f]{8}$/),
  /** The servers, in the order that keys are spread by. */
  servers: z.array(z.string()),
  /** False until the store was completed for the first time: until then its items may be missing. */
  complete: z.boolean(),
});

export type Marker = Omit<z.infer<typeof MARKER>, 'format'>;

/** @throws LevelError `corrupt` when the file is not what was written. */
export async function readMarker(file: string): Promise<Marker | undefined> {
  let text: string;
  try {
    text = await readFile(file, 'utf8');
  } catch (err) {
    if (isMissing(err)) return undefined;
    throw new LevelError(LEVEL_ERRORS.unavailable, `${file} cannot be read: ${messageOf(err)}`, {
      cause: err,
    });
  }
  try {
    return MARKER.parse(JSON.parse(text));
  } catch (err) {
    throw new LevelError(LEVEL_ERRORS.corrupt, `${file} is damaged: ${messageOf(err)}`, { cause: err });
  }
}

export async function writeMarker(file: string, marker: Marker): Promise<void> {
  const text = JSON.stringify(
    { format: 'jsonmemcached 1', ...marker } satisfies z.infer<typeof MARKER>,
    null,
    2,
  );
  await replaceFile(file, [`${text}\n`]);
}
