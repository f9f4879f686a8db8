const QUOTE = 0x22;
const BACKSLASH = 0x5c;
/** Comma, colon and the opening brackets. */
const STARTS_OF_VALUES: ReadonlySet<number> = new Set([0x2c, 0x3a, 0x5b, 0x7b]);

/**
 * Whether a JSON text holds more than about `limit` values, found without taking it apart; what stands inside
 * its strings does not count. Two bytes of text can become a value of sixty in memory, and the time that
 * parsing takes grows faster than the text: 98 MB of `{},{},…` take minutes, in which nothing else is done.
 */
export function hasMoreValues(text: string, limit: number): boolean {
  if (text.length <= limit) return false;
  let values = 0;
  let inString = false;
  for (let at = 0; at < text.length; at += 1) {
    const code = text.charCodeAt(at);
    if (inString) {
      if (code === BACKSLASH) at += 1;
      else if (code === QUOTE) inString = false;
    } else if (code === QUOTE) {
      inString = true;
    } else if (STARTS_OF_VALUES.has(code) && ++values > limit) {
      return true;
    }
  }
  return false;
}
