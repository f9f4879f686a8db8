import assert from 'node:assert/strict';
import test from 'node:test';
import { deflateRawSync, gzipSync } from 'node:zlib';
import { declaredType, sampledType, typeNames } from './object-type.js';

test('the type that a client gave counts, unless it says nothing', () => {
  assert.deepEqual(declaredType('Image/JPEG; q=1'), { mime: 'image/jpeg' });
  for (const nothing of [undefined, '', 'application/octet-stream', 'binary/octet-stream']) {
    assert.equal(declaredType(nothing), undefined);
  }
});

test('the first bytes tell the type', async () => {
  const jpeg = Buffer.from([0xff, 0xd8, 0xff, 0xe0, 0, 16, ...Buffer.from('JFIF\0')]);
  const cases: [Buffer, string | undefined][] = [
    [jpeg, 'image/jpeg'],
    [gzipSync('x'), 'application/gzip'],
    [Buffer.from('plain text, with ümlauts\n'), 'text/plain'],
    [Buffer.from([1, 2, 3, 4]), undefined],
    [Buffer.from([0xc3, 0x28, 0x41]), undefined],
    [Buffer.alloc(0), undefined],
  ];
  for (const [bytes, mime] of cases) assert.equal((await sampledType(bytes, true))?.mime, mime, String(mime));
});

test('a letter that the sample cuts in two does not make it less of a text', async () => {
  const cut = Buffer.from('ü').subarray(0, 1);
  assert.equal((await sampledType(Buffer.concat([Buffer.from('text '), cut]), false))?.mime, 'text/plain');
  assert.equal(await sampledType(Buffer.concat([Buffer.from('text '), cut]), true), undefined);
});

test('hostile and cut-off samples are no error', async () => {
  for (const bytes of [
    Buffer.from('PK\x03\x04'),
    deflateRawSync('x'),
    Buffer.from('RIFF'),
    Buffer.alloc(4100, 0xff),
  ]) {
    await sampledType(bytes, false);
  }
});

test('targets may name a type exactly, by its short names, or by its family', () => {
  assert.deepEqual(typeNames({ mime: 'image/jpeg' }), [
    'image/jpeg',
    'jpeg',
    'jpeg',
    'jpg',
    'image/*',
    'image',
  ]);
  assert.ok(typeNames({ mime: 'application/x-zip-compressed' }).includes('zip'));
  assert.ok(typeNames({ mime: 'text/csv' }).includes('text'));
  assert.ok(typeNames({ mime: 'text/plain' }).includes('txt'));
  assert.ok(typeNames({ mime: 'application/zip', ext: 'zip' }).includes('zip'));
});
