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
    } else if (Array.isArray(next)) {
      bytes += OBJECT + MEMBER * next.length;
      for (const item of next) waiting.push(item);
    } else if (typeof next === 'object' && next !== null) {
      bytes += OBJECT;
      for (const key of Object.keys(next)) {
        bytes += MEMBER + key.length;
        waiting.push((next as Record<string, unknown>)[key]);
      }
    }
  }
  return bytes;
}
