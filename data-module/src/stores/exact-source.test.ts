import assert from 'node:assert/strict';
import { once } from 'node:events';
import { Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import test from 'node:test';
import { isErrorType } from '@zenko-modules/common/errors';
import { seededRandom } from '@zenko-modules/common/testing/random';
import { generatedBuffer } from '../testing/generated-bytes.js';
import { ExactSource } from './exact-source.js';

const KiB = 1024;
const PACKET_MEMORY = 64 * KiB;

/** A chunk as a packet brings it, in memory that is larger. */
function packet(bytes: Buffer): Buffer {
  const memory = Buffer.alloc(Math.max(PACKET_MEMORY, bytes.length));
  bytes.copy(memory);
  return memory.subarray(0, bytes.length);
}

function* packets(bytes: Buffer, next: () => number): Generator<Buffer> {
  for (let at = 0; at < bytes.length;) {
    const end = at + next();
    yield packet(bytes.subarray(at, end));
    at = end;
  }
}

/** In chunks of the sizes that `next` tells. */
function sourceOf(bytes: Buffer, next: () => number): ExactSource {
  return new ExactSource(Readable.from(packets(bytes, next), { objectMode: false }), bytes.length);
}

/** All chunks that it gives to who listens, and is slow now and then. */
async function chunksOf(source: ExactSource, isSlow: () => boolean): Promise<Buffer[]> {
  const chunks: Buffer[] = [];
  source.on('data', (chunk: Buffer) => {
    chunks.push(chunk);
    if (!isSlow()) return;
    source.pause();
    setImmediate(() => source.resume());
  });
  await once(source, 'end');
  return chunks;
}

const memoryOf = (chunks: readonly Buffer[]): number =>
  [...new Set(chunks.map(({ buffer }) => buffer))].reduce((sum, { byteLength }) => sum + byteLength, 0);

for (const isSlow of [false, true]) {
  test(`what comes byte by byte is held in about as much memory as it has bytes, ${isSlow ? 'by a slow reader' : 'by a quick one'}`, async () => {
    const bytes = await generatedBuffer(1, 150_001);
    const chunks = await chunksOf(
      sourceOf(bytes, () => 1),
      () => isSlow,
    );
    assert.ok(bytes.equals(Buffer.concat(chunks)));
    assert.ok(chunks.length <= 3, `${chunks.length} chunks`);
    assert.ok(memoryOf(chunks) <= 1.5 * bytes.length, `${memoryOf(chunks)} bytes`);
  });
}

test('single bytes between large chunks keep no more than their own', async () => {
  const bytes = await generatedBuffer(2, 40 * (64 * KiB + 1));
  let count = 0;
  const chunks = await chunksOf(
    sourceOf(bytes, () => ((count += 1) % 2 === 0 ? 1 : 64 * KiB)),
    () => false,
  );
  assert.ok(bytes.equals(Buffer.concat(chunks)));
  assert.ok(memoryOf(chunks) <= 1.5 * bytes.length, `${memoryOf(chunks)} bytes`);
});

test('large chunks are passed on as they are', async () => {
  const chunks = [64, 16, 200].map(size => Buffer.alloc(size * KiB, size));
  const source = new ExactSource(Readable.from(chunks), 280 * KiB);
  assert.deepEqual(
    (await chunksOf(source, () => false)).map(({ buffer }) => buffer),
    chunks.map(({ buffer }) => buffer),
  );
});

test('chunks of any sizes come in their order, whoever reads them', async t => {
  const random = seededRandom(t);
  for (let round = 0; round < 60; round += 1) {
    const bytes = await generatedBuffer(random.seed + round, random.integer(0, 400 * KiB));
    const most = [10, 3000, 17 * KiB, 100 * KiB][round % 4] ?? 0;
    const source = sourceOf(bytes, () => random.integer(1, most));
    const got =
      round % 2 === 0
        ? Buffer.concat(await chunksOf(source, () => random.integer(0, 3) === 0))
        : await buffer(source);
    assert.ok(bytes.equals(got), `${bytes.length} bytes in chunks of up to ${most}`);
  }
});

test('a source that ends in the midst of small chunks, or goes on after them, fails', async () => {
  for (const [announced, type] of [
    [5, 'IncompleteBody'],
    [3, 'InvalidInput'],
  ] as const) {
    const source = new ExactSource(Readable.from(['by', 'te'].map(text => Buffer.from(text))), announced);
    await assert.rejects(buffer(source), err => isErrorType(err, type));
  }
});
