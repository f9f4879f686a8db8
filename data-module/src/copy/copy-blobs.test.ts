import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { mkdir, readdir, truncate, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { text } from 'node:stream/consumers';
import test, { type TestContext } from 'node:test';
import { fileURLToPath } from 'node:url';
import { isErrorType } from '@zenko-modules/common/errors';
import { silentLogger } from '@zenko-modules/common/logger';
import { seededRandom } from '@zenko-modules/common/testing/random';
import { temporaryFolder } from '@zenko-modules/common/testing/temporary-folder';
import { flipBit } from '../testing/flip-bit.js';
import { digestOf, generatedBytes } from '../testing/generated-bytes.js';
import { blobFile } from '../stores/disk/disk-layout.js';
import { type DiskStore, openDiskStore } from '../stores/disk/disk-store.js';
import { openPackedStore, type PackedStore } from '../stores/packed/packed-store.js';
import { packedOptions } from '../stores/packed/testing/packed-options.js';
import { type CopyCounts, copyBlobs, type CopyOptions } from './copy-blobs.js';

const MAIN = fileURLToPath(new URL('main.js', import.meta.url));
const OPTIONS = packedOptions({ PACKED_MAX_BLOB_BYTES: 8192, PACKED_SEGMENT_BYTES: 1024 * 1024 });

interface Places {
  readonly diskFolder: string;
  readonly packedFolder: string;
  readonly disk: DiskStore;
  readonly packed: PackedStore;
}

async function places(t: TestContext): Promise<Places> {
  const folder = await temporaryFolder(t);
  const [diskFolder, packedFolder] = [path.join(folder, 'disk'), path.join(folder, 'packed')];
  await mkdir(diskFolder);
  await mkdir(packedFolder);
  const disk = await openDiskStore(diskFolder, silentLogger());
  const packed = await openPackedStore(packedFolder, OPTIONS, silentLogger());
  t.after(() => packed.close());
  return { diskFolder, packedFolder, disk, packed };
}

function copy(options: Pick<CopyOptions, 'from' | 'to'> & Partial<CopyOptions>): Promise<CopyCounts> {
  return copyBlobs({
    concurrency: 4,
    verify: false,
    signal: new AbortController().signal,
    onBlob: () => undefined,
    onFailure: key => assert.fail(key),
    ...options,
  });
}

async function keysOf(store: DiskStore | PackedStore): Promise<string[]> {
  const keys: string[] = [];
  for await (const key of store.keys()) keys.push(key);
  return keys.sort();
}

test('a volume moves to the packed store and back, keys kept', async t => {
  const { disk, packed } = await places(t);
  const { seed } = seededRandom(t);
  const sizes = [0, 1, 8191, 8192, 8193, 300_000];
  const keys: string[] = [];
  for (const [index, size] of sizes.entries())
    keys.push(await disk.put(generatedBytes(seed + index, size), size));
  const total = sizes.reduce((sum, size) => sum + size, 0);
  assert.deepEqual(await copy({ from: disk, to: packed }), {
    copied: 6,
    present: 0,
    failed: 0,
    bytes: total,
  });
  assert.deepEqual(await keysOf(packed), [...keys].sort());
  assert.equal(packed.blobs, 4);

  const back = (await places(t)).disk;
  await copy({ from: packed, to: back });
  for (const [index, key] of keys.entries())
    assert.deepEqual(
      await digestOf(await back.get(key)),
      await digestOf(generatedBytes(seed + index, sizes[index] ?? 0)),
    );
});

test('a copy that is interrupted goes on, and copies nothing twice', async t => {
  const { disk, packed } = await places(t);
  const { seed } = seededRandom(t);
  for (let index = 0; index < 30; index += 1) await disk.put(generatedBytes(seed + index, 5000), 5000);
  const stop = new AbortController();
  const onBlob = ({ copied }: CopyCounts): void => {
    if (copied >= 10) stop.abort(new Error('interrupted'));
  };
  await assert.rejects(copy({ from: disk, to: packed, signal: stop.signal, onBlob }), /interrupted/);
  const before = packed.blobs;
  assert.ok(before >= 10 && before < 30, `${before}`);
  const counts = await copy({ from: disk, to: packed, verify: true });
  assert.deepEqual([counts.present, counts.copied, packed.blobs], [before, 30 - before, 30]);
});

test('a blob that the target has with other bytes is found by --verify, and one that cannot be read is named', async t => {
  const { disk, packed, diskFolder } = await places(t);
  const { seed } = seededRandom(t);
  const key = await disk.put(generatedBytes(seed, 100), 100);
  await packed.putAs(key, generatedBytes(seed + 1, 100), 100);
  const failures: string[] = [];
  const onFailure = (failed: string): void => void failures.push(failed);
  assert.equal((await copy({ from: disk, to: packed, onFailure })).present, 1);
  assert.equal((await copy({ from: disk, to: packed, onFailure, verify: true })).failed, 1);
  assert.deepEqual(failures, [key]);
  await writeFile(path.join(diskFolder, 'notes'), 'no blob');
  assert.deepEqual(await keysOf(disk), [key]);
});

test('a blob that differs from its checksum in the source is named, and the target keeps what it had', async t => {
  const { disk, packed, diskFolder } = await places(t);
  const other = (await places(t)).disk;
  const { seed } = seededRandom(t);
  const sizes = [100, 100, 3_000_000, 100, 8191];
  const keys: string[] = [];
  for (const [index, size] of sizes.entries())
    keys.push(await disk.put(generatedBytes(seed + index, size), size));
  const [sound = '', small = '', large = '', empty = '', replaced = ''] = keys;
  const foreign = 'f'.repeat(40);
  await mkdir(path.dirname(blobFile(diskFolder, foreign)), { recursive: true });
  await writeFile(blobFile(diskFolder, foreign), 'of another daemon, without a checksum');
  const [smallFile, largeFile] = [blobFile(diskFolder, small), blobFile(diskFolder, large)];
  const harm = async (): Promise<void> => {
    await flipBit(smallFile, 50);
    await flipBit(largeFile, 10);
    await flipBit(blobFile(diskFolder, replaced), 8190);
  };
  await harm();
  await truncate(blobFile(diskFolder, empty), 0);
  const damaged = [small, large, empty, replaced].sort();
  for (const to of [packed, other]) {
    await to.putAs(replaced, generatedBytes(seed, 7), 7);
    const failures: string[] = [];
    const onFailure = (key: string, reason: string): void => {
      assert.match(reason, /other bytes than came in/);
      failures.push(key);
    };
    const counts = await copy({ from: disk, to, onFailure });
    assert.deepEqual([counts.copied, counts.failed], [2, 4]);
    assert.deepEqual(failures.sort(), damaged);
    assert.deepEqual(await keysOf(to), [sound, replaced, foreign].sort());
    assert.equal(await to.stat(replaced), 7);

    // The same command goes on when they are whole again, ...
    await disk.putAs(empty, generatedBytes(seed + 3, 100), 100);
    await harm();
    const mended = await copy({ from: disk, to });
    assert.deepEqual([mended.copied, mended.present], [4, 2]);
    // ... and what the target has of them then stays.
    await harm();
    failures.length = 0;
    assert.equal((await copy({ from: disk, to, verify: true, onFailure })).failed, 3);
    assert.deepEqual(failures.sort(), [small, large, replaced].sort());
    assert.deepEqual(await keysOf(to), [...keys, foreign].sort());
    await truncate(blobFile(diskFolder, empty), 0);
  }
});

test('a blob that is deleted after it was listed is no failure', async t => {
  const { disk, packed } = await places(t);
  const { seed } = seededRandom(t);
  for (let index = 0; index < 3; index += 1) await disk.put(generatedBytes(seed + index, 10), 10);
  const checkedKeys = disk.checkedKeys.bind(disk);
  disk.checkedKeys = async function* () {
    for await (const checked of checkedKeys()) {
      if (packed.blobs > 0) await disk.delete(checked.key);
      yield checked;
    }
  };
  const counts = await copy({ from: disk, to: packed, concurrency: 1 });
  assert.deepEqual([counts.copied, counts.failed], [1, 0]);
});

test('a blob that is put again after its deletion is there after restarts and compaction', async t => {
  const { packed, packedFolder } = await places(t);
  const { seed } = seededRandom(t);
  const key = await packed.put(generatedBytes(seed, 4000), 4000);
  await packed.delete(key);
  await packed.putAs(key, generatedBytes(seed + 1, 4000), 4000);
  await packed.close();
  const again = await openPackedStore(
    packedFolder,
    packedOptions({ PACKED_COMPACT_PERCENT: 1 }),
    silentLogger(),
  );
  await again.compact();
  await again.close();
  const last = await openPackedStore(packedFolder, OPTIONS, silentLogger());
  assert.deepEqual(await digestOf(await last.get(key)), await digestOf(generatedBytes(seed + 1, 4000)));
  await last.delete(key);
  await assert.rejects(last.stat(key), err => isErrorType(err, 'ObjNotFound'));
  await last.close();
});

async function run(...args: string[]): Promise<{ code: number; output: string }> {
  const child = spawn(process.execPath, [MAIN, ...args]);
  const [out, err] = [text(child.stdout), text(child.stderr)];
  const code = await new Promise<number>(resolve => child.once('close', resolve));
  return { code, output: (await out) + (await err) };
}

test('the command copies, says what it did, and refuses what it cannot do', async t => {
  const { disk, packed, diskFolder, packedFolder } = await places(t);
  const { seed } = seededRandom(t);
  await packed.close();
  await disk.put(generatedBytes(seed, 100), 100);
  const done = await run('--from', `disk:${diskFolder}`, '--to', `packed:${packedFolder}`);
  assert.match(done.output, /1 blobs copied \(100 bytes\), 0 were there already, 0 failed/);
  assert.equal(done.code, 0);
  for (const [args, message] of [
    [['--from', `disk:${diskFolder}`], /--to are both needed/],
    [['--from', 'nowhere', '--to', `disk:${diskFolder}`], /--from: "nowhere" is not accepted/],
    [
      ['--from', `disk:${diskFolder}/none`, '--to', `packed:${packedFolder}`],
      /--from: DATA_PATH: .*does not exist/,
    ],
    [['--from', 'memcached:127.0.0.1:1', '--to', `packed:${packedFolder}`], /--from: memcached/],
    [['--from', `disk:${diskFolder}`, '--to', `disk:${diskFolder}`], /the same place/],
  ] as const) {
    const refused = await run(...args);
    assert.equal(refused.code, 2, refused.output);
    assert.match(refused.output, message);
  }
  assert.ok((await readdir(packedFolder)).includes('segments'));
});
