/** The credentials that a processor in Backbeat's form signs with. */
import type { KeyPair } from '../config/service-accounts.js';
import { currentHost } from './host.js';

/**
 * A function that resolves with the keys of `authConfig` (`{ type, account }`) as they are now; it is what
 * `credentials` of an S3 client of the AWS SDK takes. The account must have been there at the start.
 * @throws Error outside of a processor, and when there is no such account.
 */
export function getAccountCredentials(authConfig: unknown): () => Promise<KeyPair> {
  return currentHost('getAccountCredentials').credentials(authConfig);
}
