const TEXT = 16;
const OBJECT = 64;
const MEMBER = 16;

/** About what a value takes in memory, however deep it is. As JSON it takes less. */
export function approximateBytes(value: unknown): number {
  if (typeof value === 'string') return TEXT + value.length;
  if (typeof value !== 'object' || value === null) return 0;
  let bytes = 0;
  const waiting: object[] = [value];
  const count = (part: unknown): void => {
    if (typeof part === 'string') bytes += TEXT + part.length;
    else if (typeof part === 'object' && part !== null) waiting.push(part);
  };
  for (let next = waiting.pop(); next !== undefined; next = waiting.pop()) {
    bytes += OBJECT;
    if (Array.isArray(next)) {
      bytes += MEMBER * next.length;
      for (const item of next) count(item);
    } else {
      for (const key of Object.keys(next)) {
        bytes += MEMBER + key.length;
        count((next as Record<string, unknown>)[key]);
      }
    }
  }
  return bytes;
}
