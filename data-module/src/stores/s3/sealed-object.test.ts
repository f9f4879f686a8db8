/** A sealed object gives its blob, and anything else an error before the blob's last byte. */
import assert from 'node:assert/strict';
import { Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import test from 'node:test';
import { isErrorType } from '@zenko-modules/common/errors';
import { type Random, seededRandom } from '@zenko-modules/common/testing/random';
import { generatedBuffer } from '../../testing/generated-bytes.js';
import { blobSize, SEAL_BYTES, unseal } from './sealed-object.js';
import { partCount, sealedParts } from './sealed-parts.js';

const PART = 1000;

async function* inPieces(bytes: Buffer, random: Random): AsyncGenerator<Buffer, void> {
  await Promise.resolve();
  for (let at = 0; at < bytes.length;) {
    const length = random.integer(1, 700);
    yield bytes.subarray(at, at + length);
    at += length;
  }
}

async function sealed(bytes: Buffer, random: Random): Promise<Buffer> {
  const parts: Buffer[] = [];
  for await (const part of sealedParts(inPieces(bytes, random), bytes.length, PART))
    parts.push(Buffer.from(part));
  assert.equal(parts.length, partCount(bytes.length, PART));
  for (const part of parts.slice(0, -1)) assert.equal(part.length, PART);
  return Buffer.concat(parts);
}

test('a blob comes out as it went in, whatever the pieces', async t => {
  const random = seededRandom(t);
  for (const size of [0, 1, 7, 999, 1000, 1001, 1992, 2000, 2001, 5000, random.integer(0, 20_000)]) {
    const bytes = await generatedBuffer(random.seed, size);
    const object = await sealed(bytes, random);
    assert.ok(object.subarray(0, size).equals(bytes), 'a range of the object is the range of the blob');
    assert.equal(blobSize(object.length), size);
    const out = await buffer(Readable.from(unseal(inPieces(object, random), size)));
    assert.ok(out.equals(bytes), `${size} bytes`);
  }
});

test('a byte that is wrong, missing or too much is an error, and the last piece is not given', async t => {
  const random = seededRandom(t);
  for (let round = 0; round < 200; round += 1) {
    const size = random.integer(0, 4000);
    const object = await sealed(await generatedBuffer(random.seed + round, size), random);
    const at = random.integer(0, object.length - 1);
    const flipped = Buffer.from(object);
    flipped[at] = (flipped[at] ?? 0) ^ (1 << random.integer(0, 7));
    for (const [what, harmed] of Object.entries({
      'a bit': flipped,
      'cut off': object.subarray(0, at),
      'one more': Buffer.concat([object, Buffer.from([0])]),
    })) {
      let given = 0;
      const read = async (): Promise<void> => {
        for await (const piece of unseal(inPieces(harmed, random), size)) given += piece.length;
      };
      await assert.rejects(read(), err => isErrorType(err, 'InternalError'), what);
      assert.ok(size === 0 || given < size, `${what}: ${given} of ${size} were given`);
    }
  }
});

test('an object that is shorter than a seal is no blob', () => {
  assert.throws(
    () => blobSize(SEAL_BYTES - 1),
    err => isErrorType(err, 'InternalError'),
  );
});

test('a source that is too short or too long makes no last part', async t => {
  const random = seededRandom(t);
  for (const [sent, size] of [
    [0, 1],
    [999, 1000],
    [1000, 1001],
    [2500, 3500],
    [1, 0],
    [1001, 1000],
  ] as const) {
    const source = inPieces(Buffer.alloc(sent), random);
    const parts = sealedParts(source, size, PART);
    const read = async (): Promise<void> => {
      let bytes = 0;
      for await (const part of parts) bytes += part.length;
      assert.fail(`${bytes} bytes`);
    };
    await assert.rejects(
      read(),
      err => isErrorType(err, 'IncompleteBody', 'InvalidInput'),
      `${sent}/${size}`,
    );
  }
});
