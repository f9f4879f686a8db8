import assert from 'node:assert/strict';
import { Readable } from 'node:stream';
import test from 'node:test';
import { splitLines } from './split-lines.js';

async function linesOf(text: string, pieceBytes: number): Promise<string[]> {
  const bytes = Buffer.from(text);
  const pieces: Buffer[] = [];
  for (let at = 0; at < bytes.length; at += pieceBytes) pieces.push(bytes.subarray(at, at + pieceBytes));
  const lines: string[] = [];
  for await (const line of splitLines(Readable.from(pieces))) lines.push(line);
  return lines;
}

test('lines end at line feeds alone, however the bytes come', async () => {
  const lines = ['a\u2028b\u2029c\u0085d\u000be\r', '', 'ké😀y', '\u2028'];
  for (const pieceBytes of [1, 2, 3, 5, 1000]) {
    assert.deepEqual(await linesOf(`${lines.join('\n')}\n`, pieceBytes), lines);
    assert.deepEqual(await linesOf(lines.join('\n'), pieceBytes), lines);
  }
  assert.deepEqual(await linesOf('', 1), []);
});

test('text that breaks off rejects, and a reader that stops early ends its input', async () => {
  const broken = new Readable({
    read() {
      this.push('a\nb');
      this.destroy(new Error('broke'));
    },
  });
  await assert.rejects(async () => {
    for await (const line of splitLines(broken)) assert.equal(line, 'a');
  }, /broke/);
  const input = Readable.from([Buffer.from('a\nb\n'), Buffer.from('c\n')]);
  for await (const line of splitLines(input)) {
    assert.equal(line, 'a');
    break;
  }
  assert.ok(input.destroyed);
});
