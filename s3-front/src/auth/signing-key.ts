/** The keys that requests are signed with: derived from a secret, for a day and a region. */
import { createHmac } from 'node:crypto';

/** Clients choose days and regions, within limits. */
const MAX_KEPT = 100;

const kept = new Map<string, Buffer>();

/** @param scope `YYYYMMDD/region/s3/aws4_request` */
export function signingKey(secretKey: string, scope: string): Buffer {
  const name = `${scope} ${secretKey}`;
  const known = kept.get(name);
  if (known) return known;
  const key = scope.split('/').reduce<Buffer>(hmac, Buffer.from(`AWS4${secretKey}`));
  const [oldest] = kept.keys();
  if (kept.size === MAX_KEPT && oldest !== undefined) kept.delete(oldest);
  kept.set(name, key);
  return key;
}

function hmac(key: Buffer, text: string): Buffer {
  return createHmac('sha256', key).update(text).digest();
}
