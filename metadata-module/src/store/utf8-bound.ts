/**
 * Bounds of ranges as bytes.
 *
 * A key is well-formed text, a bound need not be: CloudServer bounds a listing of one prefix by the prefix
 * with its last UTF-16 unit plus one. After "👍🏿" (which ends in the unit DFFF) that leaves a high surrogate
 * followed by U+E000, after U+D7FF a lone D800. Encoded as usual both would become U+FFFD and sort in the
 * wrong place; here they stand where the client meant them: just after the last key with the prefix.
 */
const LONE_SURROGATE = /[\ud800-\udfff]/u;
/** Code points whose pairs begin with the same high surrogate. */
const BLOCK = 0x400;

/** The bytes at which `bound` stands among well-formed keys in UTF-8 order. */
export function boundBytes(bound: string): Buffer {
  const at = bound.search(LONE_SURROGATE);
  if (at < 0) return Buffer.from(bound);
  const before = Buffer.from(bound.slice(0, at));
  const unit = bound.charCodeAt(at);
  const next = bound.charCodeAt(at + 1);
  const afterItsPairs = unit <= 0xdbff && next >= 0xe000;
  return Buffer.concat([before, afterItsPairs ? codePointBytes(blockAfter(unit)) : codePointBytes(unit)]);
}

/** The first code point whose pair begins with the high surrogate after `unit`; U+110000 when there is none. */
function blockAfter(unit: number): number {
  return 0x10000 + (unit - 0xd800 + 1) * BLOCK;
}

/** UTF-8's scheme, also for what is no character: surrogates sort between U+D7FF and U+E000. */
function codePointBytes(code: number): Buffer {
  if (code < 0x10000)
    return Buffer.from([0xe0 | (code >> 12), 0x80 | ((code >> 6) & 0x3f), 0x80 | (code & 0x3f)]);
  return Buffer.from([
    0xf0 | (code >> 18),
    0x80 | ((code >> 12) & 0x3f),
    0x80 | ((code >> 6) & 0x3f),
    0x80 | (code & 0x3f),
  ]);
}
