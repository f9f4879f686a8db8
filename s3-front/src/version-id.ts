/** Version ids as clients see them. The metadata module's own hold time and order; CloudServer shows them in hex. */
import { S3Error } from './s3-errors.js';

/** The version without an id, of a bucket whose versioning is off or suspended. */
export const NULL_VERSION = 'null';

export function encodeVersionId(id: string): string {
  return Buffer.from(id).toString('hex');
}

/** @throws S3Error InvalidArgument for a text that is no id of this form, and not `null` */
export function decodeVersionId(text: string): string {
  if (text === NULL_VERSION) return text;
  const id = Buffer.from(text, 'hex').toString();
  if (!/^\d{20}[\w ]{7}[\w .-]{0,100}$/.test(id) || encodeVersionId(id) !== text.toLowerCase()) {
    throw new S3Error('InvalidArgument', 'Invalid version id specified');
  }
  return id;
}
