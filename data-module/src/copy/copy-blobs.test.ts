import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { mkdir, readdir, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { text } from 'node:stream/consumers';
import test, { type TestContext } from 'node:test';
import { fileURLToPath } from 'node:url';
import { isErrorType } from '@zenko-modules/common/errors';
import { silentLogger } from '@zenko-modules/common/logger';
import { seededRandom } from '@zenko-modules/common/testing/random';
import { temporaryFolder } from '@zenko-modules/common/testing/temporary-folder';
import { digestOf, generatedBytes } from '../testing/generated-bytes.js';
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
