import { describeObject, type ObjectEvent } from '../contract/object-event.js';
import type { LogEntry } from '../contract/queue-populator-extension.js';

/** The object that an entry says was created or overwritten in one of `buckets`; a new tag or ACL is none of that. */
export function describeCreation(entry: LogEntry, buckets: readonly string[]): ObjectEvent | undefined {
  if (!buckets.includes(entry.bucket)) return undefined;
  const object = describeObject(entry);
  const isCreation = object?.value.originOp?.startsWith('s3:ObjectCreated:') ?? true;
  return isCreation ? object : undefined;
}
