import { describeObject, type ObjectEvent } from '../../framework/contract/object-event.js';
import type { LogEntry } from '../../framework/contract/queue-populator-extension.js';

/** The object that an entry says was created or overwritten in one of `buckets`; a new tag or ACL is none of that. */
export function describeCreation(entry: LogEntry, buckets: readonly string[]): ObjectEvent | undefined {
  if (!buckets.includes(entry.bucket)) return undefined;
  const object = describeObject(entry);
  const isCreation = object?.value.originOp?.startsWith('s3:ObjectCreated:') ?? true;
  return isCreation ? object : undefined;
}

/**
 * The key under which a move is published: the object's, without its bucket. So moves of objects of one key
 * out of several buckets, which may have one target, are never made at the same time.
 */
export function keyOfMove({ objectKey }: ObjectEvent): string {
  return objectKey;
}
