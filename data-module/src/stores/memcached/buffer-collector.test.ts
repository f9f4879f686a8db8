import assert from 'node:assert/strict';
import test from 'node:test';
import { BufferCollector } from './buffer-collector.js';

const PIECE = 64 * 1024;
const MiB = 1024 * 1024;

test('buffers that come and go take little memory, also when many are held for a while', async () => {
  const collector = new BufferCollector();
  const held: Buffer[] = [];
  let highest = 0;
  for (let passed = 0; passed < 1024 * MiB; passed += PIECE) {
    held.push(Buffer.alloc(PIECE));
    if (held.length > (4 * MiB) / PIECE) held.shift();
    collector.passed(PIECE);
    highest = Math.max(highest, process.memoryUsage().arrayBuffers);
    if (passed % MiB === 0) await new Promise(setImmediate);
  }
  assert.ok(highest < 56 * MiB, `${(highest / MiB).toFixed(0)} MiB at most`);
});
