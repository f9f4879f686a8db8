import assert from 'node:assert/strict';
import { closeSync, constants, openSync, writeSync } from 'node:fs';
import path from 'node:path';
import test from 'node:test';
import { temporaryFolder } from '@zenko-modules/common/testing/temporary-folder';
import { AlignedBuffers } from './aligned-buffers.js';

const SIZE = 64 * 1024;
const SLAB = 16;

test('what is given back is lent again, and of slabs that are not in use one stays', () => {
  const buffers = new AlignedBuffers(SIZE);
  const leases = Array.from({ length: 3 * SLAB }, () => buffers.take());
  assert.equal(buffers.heldBytes, 3 * SLAB * SIZE);
  assert.equal(buffers.lent, 3 * SLAB);
  for (const [n, lease] of leases.entries()) lease.bytes.fill(n);
  for (const [n, { bytes }] of leases.entries())
    assert.ok(
      bytes.every(byte => byte === n),
      'each its own',
    );
  leases.pop()?.release();
  buffers.take().release();
  assert.equal(buffers.heldBytes, 3 * SLAB * SIZE);
  for (const lease of leases.splice(1)) lease.release();
  assert.equal(buffers.heldBytes, 2 * SLAB * SIZE, 'the one in use, and one that waits');
  leases.pop()?.release();
  assert.equal(buffers.heldBytes, SLAB * SIZE);
  assert.equal(buffers.lent, 0);
});

test('a buffer that the system still uses is lent to nobody else', () => {
  const buffers = new AlignedBuffers(SIZE);
  const lease = buffers.take();
  lease.hold();
  lease.release();
  assert.equal(buffers.lent, 1);
  const others = Array.from({ length: 2 * SLAB }, () => buffers.take());
  assert.ok(
    others.every(
      other => other.bytes.byteOffset !== lease.bytes.byteOffset || other.bytes.buffer !== lease.bytes.buffer,
    ),
  );
  lease.release();
  assert.equal(buffers.lent, 2 * SLAB);
});

test('the system takes every buffer for a write past its cache', async t => {
  const fd = openFor(path.join(await temporaryFolder(t), 'file'));
  if (fd === undefined) {
    t.skip('this file system takes none');
    return;
  }
  t.after(() => closeSync(fd));
  const buffers = new AlignedBuffers(SIZE);
  for (let n = 0; n < 2 * SLAB; n += 1) assert.equal(writeSync(fd, buffers.take().bytes), SIZE);
});

test('where no memory is aligned there are buffers all the same', t => {
  const wasm: unknown = Reflect.get(globalThis, 'WebAssembly');
  Reflect.set(globalThis, 'WebAssembly', {
    Memory: () => {
      throw new RangeError('could not allocate memory');
    },
  });
  t.after(() => Reflect.set(globalThis, 'WebAssembly', wasm));
  assert.equal(new AlignedBuffers(SIZE).take().bytes.length, SIZE);
});

function openFor(file: string): number | undefined {
  try {
    return openSync(file, constants.O_WRONLY | constants.O_CREAT | constants.O_DIRECT);
  } catch {
    return undefined;
  }
}
