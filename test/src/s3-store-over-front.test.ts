/**
 * The s3 store on our own S3 endpoint, which compares signatures and tells when an upload began: the contract, modules that
 * are killed and sweep while others work, and keys that are refused.
 */
import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { after, test } from 'node:test';
import { isErrorType } from '@zenko-modules/common/errors';
import { temporaryFolder } from '@zenko-modules/common/testing/temporary-folder';
import { S3Store } from '@zenko-modules/data-module/stores/s3/s3-store';
import { s3Environment, s3Options } from '@zenko-modules/data-module/stores/s3/testing/s3-options';
import { generatedBytes } from '@zenko-modules/data-module/testing/generated-bytes';
import { eventually } from '@zenko-modules/data-module/testing/harmed-transfers';
import { killModules } from '@zenko-modules/data-module/testing/killed-modules';
import { testStoreContract } from '@zenko-modules/data-module/testing/store-contract';
import { CREDENTIALS, type S3Stack, startStack } from '@zenko-modules/s3-front/testing/s3-stack';

const MiB = 1024 * 1024;
const PART = 5 * MiB;
const KILLS = Number(process.env.CRASH_KILLS ?? 3);

const cleanups: (() => unknown)[] = [];
// Called here, while the file is loaded, it runs after the file's last test.
after(async () => {
  for (const cleanup of cleanups.reverse()) await cleanup();
});
let stack: Promise<S3Stack> | undefined;

async function newBucket() {
  stack ??= startStack({ after: cleanup => void cleanups.push(cleanup as () => unknown) });
  const { s3, url } = await stack;
  const bucket = `blobs-${randomUUID()}`;
  await s3.createBucket({ Bucket: bucket });
  const objects = async (): Promise<string[]> => {
    const { Contents = [], IsTruncated } = await s3.listObjectsV2({ Bucket: bucket });
    assert.ok(IsTruncated !== true);
    return Contents.flatMap(({ Key }) => Key ?? []);
  };
  const uploads = async (): Promise<number> =>
    (await s3.listMultipartUploads({ Bucket: bucket })).Uploads?.length ?? 0;
  return { s3, bucket, endpoint: url, objects, uploads };
}

testStoreContract({
  name: 's3 over s3-front',
  boundaries: [PART],
  largeBytes: 24 * MiB,
  open: async () => {
    const place = await newBucket();
    const options = s3Options(place, { credentials: CREDENTIALS });
    const store = new S3Store(options);
    return {
      store,
      residue: async () => (await place.objects()).length + (await place.uploads()),
      reopen: async () => {
        await store.close();
        return new S3Store(options);
      },
    };
  },
});

test('keys that are refused, and a bucket that is not there, are ServiceUnavailable, never a missing blob', async t => {
  const place = await newBucket();
  for (const [more, message] of [
    [{ credentials: { ...CREDENTIALS, secretAccessKey: 'guess' } }, /refuses S3_STORE_ACCESS_KEY/],
    [{ credentials: CREDENTIALS, bucket: 'nowhere' }, /S3_STORE_BUCKET: there is no such bucket/],
  ] as const) {
    const store = new S3Store(s3Options(place, more));
    t.after(() => store.close());
    const key = 'ab'.repeat(20);
    for (const call of [
      () => store.put(generatedBytes(1, 10), 10),
      () => store.put(generatedBytes(1, 2 * PART), 2 * PART),
      () => store.stat(key),
      () => store.get(key),
      () => store.delete(key),
      () => store.diskUsage(),
      () => store.ping(),
    ])
      await assert.rejects(call(), err => {
        assert.ok(isErrorType(err, 'ServiceUnavailable'), String(err));
        assert.match(err.message, message);
        return true;
      });
  }
});

test('uploads that are old are swept; younger ones, and those of others, stay', async t => {
  const { s3, ...place } = await newBucket();
  const begin = async (name: string): Promise<void> => {
    await s3.createMultipartUpload({ Bucket: place.bucket, Key: name });
  };
  const names = ['zenko-data/' + 'a'.repeat(40), 'zenko-data/notes.txt', 'other/' + 'a'.repeat(40)];
  for (const name of names) await begin(name);
  const listed = async (): Promise<string[]> =>
    ((await s3.listMultipartUploads({ Bucket: place.bucket })).Uploads ?? [])
      .flatMap(({ Key }) => Key ?? [])
      .sort();
  const patient = new S3Store(
    s3Options(place, { credentials: CREDENTIALS, sweeps: true, uploadMs: 3_600_000 }),
  );
  await eventually('it has looked', async () => patient.ping().then(() => true));
  await patient.close();
  assert.deepEqual(await listed(), [...names].sort());
  const store = new S3Store(s3Options(place, { credentials: CREDENTIALS, sweeps: true, uploadMs: 1000 }));
  t.after(() => store.close());
  const expected = names.slice(1).sort();
  await eventually('the old one is aborted', async () => {
    assert.deepEqual(await listed(), expected);
    return true;
  });
});

test('of four modules none aborts what another is at work on, and what killed ones left is swept', async t => {
  const place = await newBucket();
  const env = async (): Promise<Record<string, string>> => ({
    DATA_BACKEND: 's3',
    DATA_DIR: await temporaryFolder(t),
    ...s3Environment(place),
    S3_STORE_ACCESS_KEY: CREDENTIALS.accessKeyId,
    S3_STORE_SECRET_KEY: CREDENTIALS.secretAccessKey,
    // Longer than a slow upload on a busy machine; and they sweep twice as often.
    S3_STORE_UPLOAD_MS: '12000',
  });
  const { stored, untold } = await killModules(t, { modules: 4, kills: KILLS, maxBytes: PART + MiB, env });
  const blobs = (await place.objects()).filter(name => !name.endsWith('probe'));
  assert.ok(blobs.length >= stored.size && blobs.length <= stored.size + untold, `${blobs.length} objects`);
  const before = await place.uploads();
  await eventually('what was left is swept', async () => (await place.uploads()) === 0);
  t.diagnostic(`${blobs.length - stored.size} untold, ${before} uploads were swept`);
});
