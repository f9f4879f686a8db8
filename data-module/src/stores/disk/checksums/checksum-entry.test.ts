import assert from 'node:assert/strict';
import test from 'node:test';
import { seededRandom } from '@zenko-modules/common/testing/random';
import { decodeEntry, encodeEntry, MAX_LINE } from './checksum-entry.js';

const ENTRY = { key: '0123456789abcdef0123456789abcdef01234567', length: 5, checksum: 0xc9945f };

test('the line of an entry stays as it is: volumes are full of it', () => {
  assert.equal(encodeEntry(ENTRY), '31c9549d 00c9945f 5 "0123456789abcdef0123456789abcdef01234567"\n');
});

test('entries of any keys, lengths and checksums come back as they were, in one line of ASCII', t => {
  const random = seededRandom(t);
  const strange = ['"', '\\', '\n', ' ', 'é', '\ud800', '\u2028', '😀', '\u007f', 'a'];
  for (let round = 0; round < 2000; round += 1) {
    const key = Array.from({ length: random.integer(1, 64) }, () => strange[random.integer(0, 9)]).join('');
    const entry = {
      key,
      length: random.integer(0, 2 ** 40) * random.integer(0, 1000),
      checksum: random.integer(0, 2 ** 32 - 1),
    };
    const line = encodeEntry(entry);
    assert.match(line, /^[ -~]+\n$/);
    assert.ok(line.length <= MAX_LINE);
    assert.deepEqual(decodeEntry(line.slice(0, -1)), entry);
  }
});

test('a line of which a character was changed, lost or added is no entry', t => {
  const random = seededRandom(t);
  const line = encodeEntry(ENTRY).slice(0, -1);
  for (let at = 0; at < line.length; at += 1) {
    const other = String.fromCharCode(line.charCodeAt(at) ^ (1 << random.integer(0, 7)));
    assert.equal(decodeEntry(line.slice(0, at) + other + line.slice(at + 1)), undefined, `changed at ${at}`);
    assert.equal(decodeEntry(line.slice(0, at) + line.slice(at + 1)), undefined, `lost at ${at}`);
    assert.equal(decodeEntry(`${line.slice(0, at)}0${line.slice(at)}`), undefined, `added at ${at}`);
  }
});

test('a key that could leave its folder is none, nor one that is too long, however well it is checked', () => {
  for (const key of ['../../etc/passwd', '..', '.', 'a\0b', '', 'x'.repeat(129)])
    assert.equal(decodeEntry(encodeEntry({ ...ENTRY, key }).slice(0, -1)), undefined, key);
});
