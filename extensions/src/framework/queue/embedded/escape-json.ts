/**
 * Writes texts as JSON has them between quotes, straight into memory: with a text in between for each message,
 * publishing costs half as much again.
 */

/** Longer ones are rare. */
const MAX_CHARACTERS = 64 * 1024;
const QUOTE = 0x22;
const BACKSLASH = 0x5c;
/** Below it are control characters. */
const SPACE = 0x20;
/** Begins U+FFFD in UTF-8, which also stands for half of a pair; and some more characters. */
const REPLACEMENT = 0xef;

const utf8 = Buffer.allocUnsafeSlow(MAX_CHARACTERS * 3);

/**
 * Writes `text` at `at` of `target`, which has room for three bytes per character.
 * @returns where it ends; `undefined` for rare texts, such as long ones or those with a line end, which are left to
 * `JSON.stringify`
 */
export function writeEscaped(text: string, target: Buffer, at: number): number | undefined {
  if (text.length > MAX_CHARACTERS) return undefined;
  const length = utf8.write(text);
  let end = at;
  for (let i = 0; i < length; i++) {
    const byte = utf8[i] as number;
    if (byte === QUOTE || byte === BACKSLASH) target[end++] = BACKSLASH;
    else if (byte < SPACE || byte === REPLACEMENT) return undefined;
    target[end++] = byte;
  }
  return end;
}
