/** Blobs that nothing names any more. */
import { ToolError } from '../command/exit-code.js';
import type { BlobClient } from '../data/blob-client.js';
import { locationsIn } from '../data/blob-references.js';
import { inParallel } from '../in-parallel.js';

const CONCURRENCY = 8;

/** The blobs of a stored value. @throws ToolError when its data lies elsewhere, too */
export function freedBy(value: string): string[] {
  const { location } = JSON.parse(value) as { readonly location?: unknown };
  const blobs = locationsIn(value).map(({ key }) => key);
  if (Array.isArray(location) && location.length !== blobs.length)
    throw new ToolError('its data does not lie in the data module: change it through S3');
  return blobs;
}

/** Resolves with those that were not there. */
export async function removeBlobs(data: BlobClient, blobs: readonly string[]): Promise<string[]> {
  const missing: string[] = [];
  await inParallel(blobs, CONCURRENCY, async blob => {
    if (!(await data.delete(blob))) missing.push(blob);
  });
  return missing;
}
