import { randomBytes } from 'node:crypto';

/** A key that no blob has had: 160 random bits in lower-case hex, the form of CloudServer's own keys. */
export function newBlobKey(): string {
  return randomBytes(20).toString('hex');
}
