const TEXT = 16;
const OBJECT = 64;
const MEMBER = 16;

/** About what a value takes in memory, however deep it is. As JSON it takes less. */
export function approximateBytes(value: unknown): number {
  let bytes = 0;
  const waiting = [value];
  while (waiting.length > 0) {
    const next = waiting.pop();
    if (typeof next === 'string') {
      bytes += TEXT + next.length;
    } else if (typeof next === 'object' && next !== null) {
      bytes += OBJECT;
      for (const [key, member] of Object.entries(next)) {
        bytes += MEMBER + key.length;
        waiting.push(member);
      }
    }
  }
  return bytes;
}
