import assert from 'node:assert/strict';
import test from 'node:test';
import { seededRandom } from '@zenko-modules/common/testing/random';
import { type Algorithm, CHECKSUM_NAMES, CHECKSUMS } from './checksums.js';
import { joinCrc } from './join-crc.js';

async function checksum({ start }: Algorithm, text: Buffer): Promise<Buffer> {
  const running = start();
  running.update(text);
  return running.digest();
}

test('the joined CRCs of two texts are the CRC of both', async t => {
  const random = seededRandom(t);
  const algorithms = CHECKSUM_NAMES.map((name): Algorithm => CHECKSUMS[name]);
  const crcs = algorithms.filter(({ polynomial }) => polynomial !== undefined);
  assert.equal(crcs.length, 3);
  for (const algorithm of crcs) {
    for (const sizes of [
      [0, 0],
      [0, 9],
      [9, 0],
      [1, 1],
      [70_000, 65_536],
      [3, 1_000_003],
    ] as const) {
      const [first, second] = sizes.map(size => Buffer.alloc(size, random.integer(0, 255)));
      assert.ok(first && second);
      const joined = joinCrc(
        algorithm.polynomial ?? 0n,
        await checksum(algorithm, first),
        await checksum(algorithm, second),
        second.length,
      );
      const whole = await checksum(algorithm, Buffer.concat([first, second]));
      assert.equal(joined.toString('hex'), whole.toString('hex'), sizes.join('+'));
    }
  }
});
