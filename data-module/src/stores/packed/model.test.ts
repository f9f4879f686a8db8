/** The store against a Map, with restarts, takeovers that end a process in its midst, and compaction at any time. */
import assert from 'node:assert/strict';
import { buffer } from 'node:stream/consumers';
import { Readable } from 'node:stream';
import test from 'node:test';
import { isErrorType } from '@zenko-modules/common/errors';
import { silentLogger } from '@zenko-modules/common/logger';
import { seededRandom } from '@zenko-modules/common/testing/random';
import { temporaryFolder } from '@zenko-modules/common/testing/temporary-folder';
import { StoreLayer } from '../store-layer.js';
import { openPackedStore, type PackedStore } from './packed-store.js';
import { packedOptions } from './testing/packed-options.js';

const STEPS = Number(process.env.MODEL_STEPS ?? 1200);
const MAX_BLOB = 4096;

test('the store does what a Map does, whatever restarts and compactions come between', async t => {
  const random = seededRandom(t);
  const folder = await temporaryFolder(t);
  const options = packedOptions({
    PACKED_MAX_BLOB_BYTES: MAX_BLOB,
    PACKED_SEGMENT_BYTES: 32 * 1024,
    PACKED_CACHE_BYTES: 64 * 1024,
  });
  const model = new Map<string, Buffer>();
  const deleted: string[] = [];
  const abandoned: PackedStore[] = [];
  let packed = await openPackedStore(folder, options, silentLogger());
  let store = new StoreLayer(packed);
  const counts = { put: 0, delete: 0, compact: 0, restart: 0, takeover: 0 };

  const anyKey = (): string | undefined => [...model.keys()][random.integer(0, Math.max(0, model.size - 1))];
  const put = async (): Promise<void> => {
    const size = random.integer(0, 20) === 0 ? MAX_BLOB + random.integer(0, 2) : random.integer(0, 1500);
    const bytes = Buffer.alloc(size, random.integer(0, 255));
    model.set(await store.put(Readable.from([bytes]), size), bytes);
  };
  const remove = async (): Promise<void> => {
    const key = anyKey();
    if (key === undefined) return;
    model.delete(key);
    await store.delete(key);
    deleted.push(key);
  };
  const check = async (key: string): Promise<void> => {
    assert.deepEqual(await buffer(await store.get(key)), model.get(key), key);
    assert.equal(await store.stat(key), model.get(key)?.length);
  };
  const checkAll = async (): Promise<void> => {
    for (const key of model.keys()) await check(key);
    for (const key of deleted)
      await assert.rejects(store.stat(key), err => isErrorType(err, 'ObjNotFound'), key);
  };

  for (let step = 0; step < STEPS; step += 1) {
    const choice = random.integer(0, 999);
    if (choice < 450) {
      const several = Array.from({ length: random.integer(1, 6) }, put);
      counts.put += several.length;
      await Promise.all(several);
    } else if (choice < 850) {
      for (let i = random.integer(1, 5); i > 0; i -= 1) await remove();
      counts.delete += 1;
    } else if (choice < 960) {
      const key = anyKey();
      if (key !== undefined) await check(key);
    } else if (choice < 990) {
      counts.compact += 1;
      // Beside it, what is copied is deleted, and more is put.
      await Promise.all([packed.compact(), put(), remove(), put()]);
    } else {
      const isClean = choice < 995;
      counts[isClean ? 'restart' : 'takeover'] += 1;
      if (isClean) await store.close();
      else abandoned.push(packed);
      const before = packed;
      const interrupted = isClean ? undefined : before.compact().catch(() => undefined);
      packed = await openPackedStore(folder, options, silentLogger());
      store = new StoreLayer(packed);
      await interrupted;
      if (!isClean) {
        await assert.rejects(before.put(Readable.from([Buffer.from('late')]), 4), err =>
          isErrorType(err, 'ServiceUnavailable'),
        );
      }
      await checkAll();
    }
  }
  await checkAll();
  await packed.compact();
  await checkAll();
  assert.ok(counts.restart > 0 && counts.takeover > 0 && counts.compact > 0, JSON.stringify(counts));
  t.diagnostic(`${JSON.stringify(counts)}, ${model.size} blobs at the end`);
  await store.close();
  for (const each of abandoned) await each.close();
});
