/**
 * The lines of text in UTF-8, split at line feeds alone. `readline` of newer versions of Node also ends a line at U+2028
 * and U+2029, which JSON leaves as they are.
 */
import { StringDecoder } from 'node:string_decoder';

/** Rejects when `input` does, and destroys it when the reader stops early. One line is in memory at a time. */
export async function* splitLines(input: AsyncIterable<Buffer>): AsyncGenerator<string, void, undefined> {
  const decoder = new StringDecoder('utf8');
  let begun = '';
  for await (const bytes of input) {
    const [first = '', ...others] = decoder.write(bytes).split('\n');
    begun += first;
    for (const next of others) {
      yield begun;
      begun = next;
    }
  }
  begun += decoder.end();
  if (begun !== '') yield begun;
}
