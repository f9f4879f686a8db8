import assert from 'node:assert/strict';
import test from 'node:test';
import { BufferCollector } from './buffer-collector.js';

const PIECE = 64 * 1024;
const MiB = 1024 * 1024;

/** The most that buffers took, in MiB, while 512 MiB passed of which so many are held at a time. */
async function highestMiB(heldMiB: number): Promise<number> {
  const collector = new BufferCollector();
  const held: Buffer[] = [];
  let highest = 0;
  for (let passed = 0; passed < 512 * MiB; passed += PIECE) {
    held.push(Buffer.alloc(PIECE));
    if (held.length > (heldMiB * MiB) / PIECE) held.shift();
    collector.passed(PIECE);
    highest = Math.max(highest, process.memoryUsage().arrayBuffers);
    if (passed % MiB === 0) await new Promise(setImmediate);
  }
  return highest / MiB;
}

test('buffers that come and go take little memory', async () => {
  const highest = await highestMiB(4);
  assert.ok(highest < 32, `${highest.toFixed(0)} MiB at most`);
});

test('so do buffers that are held through some collections', async () => {
  const highest = await highestMiB(12);
  assert.ok(highest < 60, `${highest.toFixed(0)} MiB at most`);
});
