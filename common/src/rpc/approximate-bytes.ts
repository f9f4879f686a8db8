/** About what a value of our own, so no deep one, takes as JSON. */
export function approximateBytes(value: unknown): number {
  if (typeof value === 'string') return value.length + 2;
  if (typeof value !== 'object' || value === null) return 8;
  let bytes = 2;
  for (const [key, member] of Object.entries(value)) bytes += key.length + 4 + approximateBytes(member);
  return bytes;
}
