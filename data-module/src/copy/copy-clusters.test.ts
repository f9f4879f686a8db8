/** Blobs move from a volume into an S3 bucket, from there into GridFS, and back, keys kept. */
import assert from 'node:assert/strict';
import { mkdir } from 'node:fs/promises';
import path from 'node:path';
import { spawn } from 'node:child_process';
import { text } from 'node:stream/consumers';
import test from 'node:test';
import { fileURLToPath } from 'node:url';
import { silentLogger } from '@zenko-modules/common/logger';
import { mongodbMissing } from '@zenko-modules/common/testing/mongodb-server';
import { seededRandom } from '@zenko-modules/common/testing/random';
import { temporaryFolder } from '@zenko-modules/common/testing/temporary-folder';
import { digestOf, generatedBytes } from '../testing/generated-bytes.js';
import { motoMissing, newBucket, sharedMoto } from '../testing/moto-server.js';
import { openDiskStore } from '../stores/disk/disk-store.js';
import { gridFsEnvironment, newPlace } from '../stores/gridfs/testing/gridfs-place.js';
import { s3Environment } from '../stores/s3/testing/s3-options.js';

const MAIN = fileURLToPath(new URL('main.js', import.meta.url));

test(
  'a volume moves into a bucket, into GridFS, and back',
  { skip: motoMissing || mongodbMissing },
  async t => {
    const { seed } = seededRandom(t);
    const folder = await temporaryFolder(t);
    const [first, last] = [path.join(folder, 'first'), path.join(folder, 'last')];
    for (const each of [first, last]) await mkdir(each);
    const bucket = await newBucket(t, (await sharedMoto()).port);
    const place = await newPlace(t);
    const env = {
      PATH: process.env.PATH,
      ...s3Environment(bucket),
      ...gridFsEnvironment(place),
      // Nothing fails here, and MongoDB's stand-in does one thing at a time.
      MONGODB_TIMEOUT_MS: '30000',
    };
    const copy = async (from: string, to: string): Promise<string> => {
      const child = spawn(process.execPath, [MAIN, '--from', from, '--to', to, '--verify'], { env });
      const [out, err] = [text(child.stdout), text(child.stderr)];
      const code = await new Promise(resolve => child.once('close', resolve));
      assert.equal(code, 0, (await out) + (await err));
      return out;
    };

    const disk = await openDiskStore(first, silentLogger());
    const sizes = [0, 1, 65_536, 300_000, 11 * 1024 * 1024];
    const keys: string[] = [];
    for (const [index, size] of sizes.entries())
      keys.push(await disk.put(generatedBytes(seed + index, size), size));
    await disk.close();
    const s3 = `s3:${bucket.bucket}`;
    const gridfs = `gridfs:${place.database}`;
    assert.match(await copy(`disk:${first}`, s3), /^5 blobs copied .* 0 were there already, 0 failed/);
    assert.match(await copy(`disk:${first}`, s3), /^0 blobs copied .* 5 were there already, 0 failed/);
    assert.match(await copy(s3, gridfs), /^5 blobs copied/);
    assert.match(await copy(s3, gridfs), /^0 blobs copied .* 5 were there already, 0 failed/);
    // One of another size, and what an interrupted copy has left of it.
    await place.files.updateOne({ _id: keys[3] ?? '' }, { $set: { length: 1 } });
    assert.match(await copy(s3, gridfs), /^1 blobs copied .* 4 were there already, 0 failed/);
    assert.match(await copy(gridfs, `disk:${last}`), /^5 blobs copied/);
    const back = await openDiskStore(last, silentLogger());
    for (const [index, key] of keys.entries())
      assert.deepEqual(
        await digestOf(await back.get(key)),
        await digestOf(generatedBytes(seed + index, sizes[index] ?? 0)),
      );
    await back.close();
  },
);
