/** A MongoDB without room: uploads fail and leave nothing, what is there can be read and deleted, and then there is room again. */
import assert from 'node:assert/strict';
import test from 'node:test';
import { isErrorType } from '@zenko-modules/common/errors';
import { mongodbMissing as skip } from '@zenko-modules/common/testing/mongodb-server';
import { startWireProxy, type WireCommand } from '@zenko-modules/common/testing/mongodb-wire-proxy';
import { digestOf, generatedBytes } from '../../testing/generated-bytes.js';
import { eventually } from '../../testing/harmed-transfers.js';
import { GridFsStore } from './gridfs-store.js';
import { gridFsOptions, newPlace } from './testing/gridfs-place.js';

const CHUNK = 10_000;
const SIZE = 20 * CHUNK;
const OUT_OF_SPACE = {
  code: 14_031,
  codeName: 'OutOfDiskSpace',
  errmsg: 'available disk space is less than required',
};
const OVER_QUOTA = {
  code: 8000,
  codeName: 'AtlasError',
  errmsg: 'you are over your space quota, using 513 MB of 512 MB',
};

/** Each way in which a server may say so. */
const ANSWERS = {
  'as an error of the command': { ok: 0, ...OUT_OF_SPACE },
  'as an error of a document': { ok: 1, n: 0, nModified: 0, writeErrors: [{ index: 0, ...OUT_OF_SPACE }] },
  'as an error of the write concern': { ok: 1, n: 1, nModified: 0, writeConcernError: OUT_OF_SPACE },
  'as a quota of Atlas': { ok: 0, ...OVER_QUOTA },
} as const;

for (const [how, answer] of Object.entries(ANSWERS))
  test(
    `a server that says ${how} that it is full takes no blob, and keeps nothing of it`,
    { skip },
    async t => {
      const place = await newPlace(t);
      const proxy = await startWireProxy(t, place.url);
      const store = new GridFsStore(
        gridFsOptions({ ...place, url: proxy.url }, { chunkBytes: CHUNK, timeoutMs: 3000 }),
      );
      t.after(() => store.close());
      const kept = await store.put(generatedBytes(1, SIZE), SIZE);
      const isWrite = ({ name }: WireCommand): boolean => name === 'insert' || name === 'update';
      const writes = proxy.commands.filter(isWrite).length;
      assert.ok(writes > 2);
      const before = await place.count();
      const isFull = (err: unknown): boolean =>
        isErrorType(err, 'ServiceUnavailable') && /is full/.test(err.message);
      // The room ends at once, within the chunks, or before the document that makes them a blob.
      for (const room of [0, 1, writes - 1]) {
        let left = room;
        proxy.judge = command => (isWrite(command) && --left < 0 ? { answer } : 'pass');
        await assert.rejects(store.put(generatedBytes(2, SIZE), SIZE), isFull);
      }
      await assert.rejects(store.ping(), isFull);
      assert.deepEqual(await digestOf(await store.get(kept)), await digestOf(generatedBytes(1, SIZE)));
      await eventually('nothing of them is left', async () => (await place.count()) === before);
      await store.delete(kept);
      proxy.judge = () => 'pass';
      await store.ping();
      await store.put(generatedBytes(3, SIZE), SIZE);
    },
  );
