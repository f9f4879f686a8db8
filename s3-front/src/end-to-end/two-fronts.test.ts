/** Two fronts over the same modules: none knows what the other does, and a client may ask either. */
import assert from 'node:assert/strict';
import test from 'node:test';
import { fileURLToPath } from 'node:url';
import { type S3, S3ServiceException } from '@aws-sdk/client-s3';
import { startDaemon } from '@zenko-modules/common/testing/daemon-process';
import { startStack } from '../testing/s3-stack.js';
import { assertBlobs } from '../testing/stored-blobs.js';

const Bucket = 'shared';
const Key = 'k';

test('what two fronts do with the same key at once succeeds', async t => {
  const stack = await startStack(t);
  const { folder, s3 } = stack;
  const second = await startDaemon(t, {
    entry: fileURLToPath(new URL('../main.js', import.meta.url)),
    env: {
      DATA_DIR: folder,
      DATA_PORT: String(stack.port('DATA_PORT')),
      METADATA_PORT: String(stack.port('METADATA_PORT')),
      S3_PORT: '0',
      S3_PROBE_PORT: '0',
    },
  });
  const fronts = [s3, stack.client({ endpoint: `http://127.0.0.1:${second.ports['S3_PORT']}` })];
  await s3.createBucket({ Bucket });
  const versioning = (Status: 'Enabled' | 'Suspended') =>
    s3.putBucketVersioning({ Bucket, VersioningConfiguration: { Status } });
  /** Each front does so much, as much of it at once as it can. */
  const both = async <T>(count: number, work: (front: S3, name: string) => Promise<T>): Promise<T[]> =>
    Promise.all(
      fronts.flatMap((front, index) =>
        Array.from({ length: count }, (_, number) => work(front, `${index}-${number}`)),
      ),
    );
  const put = (front: S3, Body: string) => front.putObject({ Bucket, Key, Body });
  const read = async (VersionId?: string): Promise<string | undefined> =>
    (await s3.getObject({ Bucket, Key, VersionId })).Body?.transformToString();

  await t.test('uploads', async () => {
    await both(12, put);
    assert.match((await read()) ?? '', /^[01]-\d+$/);
    await assertBlobs(folder, 1);
  });

  await t.test('uploads one after the other', async () => {
    await Promise.all(
      fronts.map(async (front, index) => {
        for (let number = 0; number < 25; number += 1) await put(front, `${index}-${number}`);
      }),
    );
    assert.match((await read()) ?? '', /^[01]-24$/);
    await assertBlobs(folder, 1);
  });

  await t.test('uploads that want to be the first: one is', async () => {
    await s3.deleteObject({ Bucket, Key });
    const answers = await both(5, (front, Body) =>
      front.putObject({ Bucket, Key, Body, IfNoneMatch: '*' }).then(
        () => 'stored',
        (err: unknown) => (err instanceof S3ServiceException ? err.name : String(err)),
      ),
    );
    assert.deepEqual(answers.sort(), [...Array<string>(9).fill('PreconditionFailed'), 'stored']);
    await assertBlobs(folder, 1);
  });

  await t.test('uploads, tags and deletions', async () => {
    await both(3, async (front, name) => {
      await put(front, name);
      const Tagging = { TagSet: [{ Key: 'by', Value: name }] };
      await front.putObjectTagging({ Bucket, Key, Tagging }).catch((err: unknown) => {
        if (!(err instanceof S3ServiceException) || err.name !== 'NoSuchKey') throw err;
      });
      await front.deleteObject({ Bucket, Key });
    });
    await assertBlobs(folder, 0);
  });

  await t.test('versions: each is there, and the one that was before versioning is kept', async () => {
    await put(s3, 'before');
    await versioning('Enabled');
    const ids = await both(8, async (front, name) => (await put(front, name)).VersionId);
    const { Versions = [] } = await s3.listObjectVersions({ Bucket });
    assert.deepEqual(new Set(Versions.map(({ VersionId }) => VersionId)), new Set([...ids, 'null']));
    assert.equal(Versions.length, 17);
    assert.equal(await read('null'), 'before');
    const markers = await both(3, async front => (await front.deleteObject({ Bucket, Key })).VersionId);
    assert.equal(new Set(markers).size, 6);
    await assertBlobs(folder, 17);
  });

  await t.test('null versions: one is left', async () => {
    await versioning('Suspended');
    await both(8, put);
    const { Versions = [] } = await s3.listObjectVersions({ Bucket });
    assert.equal(Versions.filter(({ VersionId }) => VersionId === 'null').length, 1);
    assert.match((await read()) ?? '', /^[01]-\d+$/);
    await assertBlobs(folder, 17);
  });
});
