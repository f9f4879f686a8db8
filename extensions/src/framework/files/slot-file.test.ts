import assert from 'node:assert/strict';
import { mkdir, open, readdir, readFile, stat, truncate, writeFile } from 'node:fs/promises';
import path from 'node:path';
import test from 'node:test';
import { seededRandom } from '@zenko-modules/common/testing/random';
import { temporaryFolder } from '@zenko-modules/common/testing/temporary-folder';
import { createSlotFile, readSlotFile, writeSlotFile } from './slot-file.js';

const SLOT_BYTES = 512;

async function damage(file: string, slot: number, byte: number): Promise<void> {
  const handle = await open(file, 'r+');
  const position = slot * SLOT_BYTES + byte;
  const { buffer } = await handle.read(Buffer.alloc(1), 0, 1, position);
  buffer.writeUInt8(buffer.readUInt8(0) ^ 1);
  await handle.write(buffer, 0, 1, position);
  await handle.close();
}

test('what was written last is read, and the file neither grows nor moves', async t => {
  const file = path.join(await temporaryFolder(t), 'state.json');
  assert.equal(await readSlotFile(file), undefined);
  await createSlotFile(file, { n: 0 });
  await createSlotFile(file, { n: 'not this one' });
  const { ino, size } = await stat(file);
  for (let n = 1; n < 10; n++) {
    await writeSlotFile(file, { n });
    assert.deepEqual(await readSlotFile(file), { n });
  }
  const after = await stat(file);
  assert.deepEqual([after.ino, after.size], [ino, size]);
  assert.deepEqual(await readdir(path.dirname(file)), ['state.json']);
});

test('a write that a crash tore leaves what was before it, wherever it tore', async t => {
  const random = seededRandom(t);
  const file = path.join(await temporaryFolder(t), 'state.json');
  for (let n = 0; n < 20; n++) {
    await writeSlotFile(file, { n: n * 2 });
    const slotOfNext = (await readFile(file)).subarray(0, SLOT_BYTES).includes(`{"n":${n * 2}}`) ? 1 : 0;
    await writeSlotFile(file, { n: n * 2 + 1 });
    await damage(file, slotOfNext, random.integer(0, 40));
    assert.deepEqual(await readSlotFile(file), { n: n * 2 });
  }
});

test('a file without a readable slot is named, and left as it is', async t => {
  const file = path.join(await temporaryFolder(t), 'state.json');
  await writeSlotFile(file, { n: 1 });
  await writeSlotFile(file, { n: 2 });
  await damage(file, 0, 3);
  await damage(file, 1, 3);
  const before = await readFile(file);
  await assert.rejects(readSlotFile(file), new RegExp(`${file} is damaged`));
  assert.deepEqual(await readFile(file), before);
  for (const content of ['', 'no JSON\n', '7\n']) {
    await writeFile(file, content);
    await assert.rejects(readSlotFile(file), /is damaged/);
  }
});

test('a file of one line of JSON is opened, and written without more room', async t => {
  const file = path.join(await temporaryFolder(t), 'state.json');
  const old = { nextSeq: 17, savedAt: '2026-01-01T00:00:00.000Z' };
  await writeFile(file, `${JSON.stringify(old)}\n`);
  const { blocks } = await stat(file);
  assert.deepEqual(await readSlotFile(file), old);
  await writeSlotFile(file, { nextSeq: 18 });
  assert.deepEqual(await readSlotFile(file), { nextSeq: 18 });
  assert.equal((await stat(file)).blocks, blocks);
  // Torn in this very write: the line is still there.
  await truncate(file, SLOT_BYTES + 20);
  assert.deepEqual(await readSlotFile(file), old);
  await writeSlotFile(file, { nextSeq: 19 });
  await writeSlotFile(file, { nextSeq: 20 });
  assert.deepEqual(await readSlotFile(file), { nextSeq: 20 });
});

test('what does not fit is refused, and the content stays', async t => {
  const file = path.join(await temporaryFolder(t), 'state.json');
  await writeSlotFile(file, { n: 1 });
  await assert.rejects(writeSlotFile(file, { n: 'x'.repeat(600) }), /do not fit/);
  assert.deepEqual(await readSlotFile(file), { n: 1 });
});

test('of many that make it at once, one does, and no draft stays', async t => {
  const folder = path.join(await temporaryFolder(t), 'own');
  await mkdir(folder);
  const file = path.join(folder, 'state.json');
  await Promise.all(Array.from({ length: 8 }, (_, n) => createSlotFile(file, { n })));
  assert.deepEqual(await readdir(folder), ['state.json']);
  assert.ok(((await readSlotFile(file)) as { n: number }).n >= 0);
});
