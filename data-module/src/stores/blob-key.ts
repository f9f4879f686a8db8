import { randomFillSync } from 'node:crypto';

const KEY_BYTES = 20;
/** Random bytes for the next keys: asking the system for those of each key would take longer than making a key. */
const random = Buffer.alloc(KEY_BYTES * 256);
let used = random.length;

/** A key that no blob has had: 160 random bits in lower-case hex, the form of CloudServer's own keys. */
export function newBlobKey(): string {
  if (used === random.length) {
    randomFillSync(random);
    used = 0;
  }
  used += KEY_BYTES;
  return random.toString('hex', used - KEY_BYTES, used);
}
