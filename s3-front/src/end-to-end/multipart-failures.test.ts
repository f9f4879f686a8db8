/** Multipart uploads when something fails: the front is killed at any moment, an answer is lost, nobody goes on. */
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import test from 'node:test';
import { sleep } from '@zenko-modules/common/deadline';
import { seededRandom } from '@zenko-modules/common/testing/random';
import type { ObjectValue } from '../object-value.js';
import { isPut, startMetadataRelay } from '../testing/metadata-relay.js';
import { type S3Stack, startStack } from '../testing/s3-stack.js';
import { storedBlobs } from '../testing/stored-blobs.js';

const Bucket = 'failures';
const Key = 'k';
const SHADOW = `mpuShadowBucket${Bucket}`;
const MIN = 5 * 1024 * 1024;
const CRASHES = Number(process.env.CRASH_KILLS ?? 4);
const WAIT_MS = 30_000;

async function read({ s3 }: S3Stack): Promise<Buffer> {
  const { Body } = await s3.getObject({ Bucket, Key });
  return Buffer.from((await Body?.transformToByteArray()) ?? []);
}

async function entries({ metadata }: S3Stack, database: string): Promise<{ key: string; value: string }[]> {
  const found: { key: string; value: string }[] = [];
  for await (const entry of metadata.read(database, {}, 'test')) found.push({ ...entry });
  return found;
}

/** The blobs that objects refer to. */
async function named(stack: S3Stack): Promise<Set<string>> {
  const values = (await entries(stack, Bucket)).map(({ value }) => JSON.parse(value) as unknown);
  const locations = values.flatMap(value => (value as { location: { key: string }[] | null }).location ?? []);
  return new Set(locations.map(({ key }) => key));
}

async function eventually(what: string, holds: () => Promise<boolean>): Promise<void> {
  const deadline = Date.now() + WAIT_MS;
  while (!(await holds())) {
    assert.ok(Date.now() < deadline, `${what}, within ${WAIT_MS} ms`);
    await sleep(50);
  }
}

test('killed at any moment of a completion, the front leaves the old object or the new one', async t => {
  const random = seededRandom(t);
  const stack = await startStack(t);
  const { s3, folder } = stack;
  await s3.createBucket({ Bucket });
  const restartFront = (maxAge: string) => stack.restart('s3-front', { S3_UPLOAD_MAX_AGE: maxAge });
  for (const versioned of [false, true]) {
    if (versioned) {
      const bucket = await stack.metadata.getBucket(Bucket, 'test');
      assert.ok(bucket);
      await stack.metadata.putBucket({ ...bucket, versioningConfiguration: { Status: 'Enabled' } }, 'test');
    }
    let old: Buffer = randomBytes(10);
    await s3.putObject({ Bucket, Key, Body: old });
    for (let crash = 0; crash < CRASHES; crash += 1) {
      const { UploadId } = await s3.createMultipartUpload({ Bucket, Key });
      const bodies = [randomBytes(MIN), randomBytes(100), randomBytes(3)];
      const Parts = await Promise.all(
        bodies.map(async (Body, at) => {
          const PartNumber = at + 1;
          const { ETag } = await s3.uploadPart({ Bucket, Key, UploadId, PartNumber, Body });
          return { PartNumber, ETag };
        }),
      );
      // The last part loses.
      const MultipartUpload = { Parts: Parts.slice(0, 2) };
      const whole = Buffer.concat(bodies.slice(0, 2));
      const complete = () => s3.completeMultipartUpload({ Bucket, Key, UploadId, MultipartUpload });
      const answer = complete().then(
        () => true,
        () => false,
      );
      await sleep(random.integer(0, 40));
      await stack.kill('s3-front');
      const acknowledged = await answer;
      await stack.restart('s3-front');
      const found = await read(stack);
      assert.ok(found.equals(whole) || (!acknowledged && found.equals(old)), 'the old object or the new one');
      // The client asks again, as SDKs do, or gives up, or aborts.
      const next = random.integer(0, 2);
      if (next === 0) await complete();
      if (next === 1) await s3.abortMultipartUpload({ Bucket, Key, UploadId }).catch(() => undefined);
      const after = await read(stack);
      assert.ok(after.equals(next === 0 || found.equals(whole) ? whole : old));
      old = after;
    }
    await stack.kill('s3-front');
    await restartFront('1s');
    await sleep(random.integer(0, 1200));
    // Perhaps in the midst of the sweep.
    await stack.kill('s3-front');
    await restartFront('1s');
    await eventually('abandoned uploads are swept', async () => (await entries(stack, SHADOW)).length === 0);
    assert.ok((await read(stack)).equals(old));
    // As long as it is by default: a client is to find its upload however slow the machine is.
    await stack.kill('s3-front');
    await restartFront('7d');
    for (const blob of await named(stack)) {
      assert.ok((await storedBlobs(folder)).includes(blob), 'every version has its data');
    }
    const kept = await named(stack);
    const unnamed = (await storedBlobs(folder)).filter(blob => !kept.has(blob));
    // The object that was replaced loses its data after the new one is stored, by a front that may be gone by then.
    assert.ok(unnamed.length <= 2 * CRASHES, `${unnamed.length} blobs`);
    const locations = (await entries(stack, Bucket))
      .filter(({ key }) => !versioned || key.includes('\0'))
      .flatMap(({ value }) => (JSON.parse(value) as { location: { key: string }[] }).location);
    assert.equal(
      new Set(locations.map(({ key }) => key)).size,
      locations.length,
      'no two versions share data',
    );
  }
});

test('an upload that nobody goes on with is swept with its data, and one under way is not', async t => {
  const stack = await startStack(t, { S3_UPLOAD_MAX_AGE: '3s' });
  const { s3, folder } = stack;
  await s3.createBucket({ Bucket });
  const begin = async (name: string): Promise<string> =>
    (await s3.createMultipartUpload({ Bucket, Key: name })).UploadId ?? '';
  const [abandoned, busy] = [await begin('abandoned'), await begin('busy')];
  const send = (UploadId: string, name: string, PartNumber: number) =>
    s3.uploadPart({ Bucket, Key: name, UploadId, PartNumber, Body: 'part' });
  await send(abandoned, 'abandoned', 1);
  const orphan = await send(busy, 'busy', 1);
  assert.ok(orphan.ETag);
  let number = 1;
  await eventually('the abandoned upload is gone', async () => {
    await send(busy, 'busy', (number += 1));
    return !(await entries(stack, SHADOW)).some(({ key }) => key.includes(abandoned));
  });
  assert.equal((await s3.listParts({ Bucket, Key: 'busy', UploadId: busy })).Parts?.length, number);
  assert.equal((await storedBlobs(folder)).length, number);
  await eventually('then the other one', async () => (await entries(stack, SHADOW)).length === 0);
  await eventually('with its data', async () => (await storedBlobs(folder)).length === 0);
});

test('what is left of a completed upload is swept without the data of its object, whatever it says of itself', async t => {
  const stack = await startStack(t, { S3_UPLOAD_MAX_AGE: '1s' });
  const { s3, metadata, folder } = stack;
  await s3.createBucket({ Bucket });
  // A daemon that ended after it had stored the object: the upload is there without a mark, or its part alone.
  for (const hasOverview of [true, false]) {
    const name = `overview: ${hasOverview}`;
    const { UploadId } = await s3.createMultipartUpload({ Bucket, Key: name });
    const { ETag } = await s3.uploadPart({ Bucket, Key: name, UploadId, PartNumber: 1, Body: name });
    const left = (await entries(stack, SHADOW)).filter(
      ({ key }) => UploadId && key.includes(UploadId) && (hasOverview || !key.startsWith('overview')),
    );
    assert.equal(left.length, hasOverview ? 2 : 1);
    const MultipartUpload = { Parts: [{ PartNumber: 1, ETag }] };
    await s3.completeMultipartUpload({ Bucket, Key: name, UploadId, MultipartUpload });
    for (const { key, value } of left) {
      await metadata.putEntry(SHADOW, key, JSON.parse(value) as object, { isPart: true }, 'test');
    }
    await eventually('it is swept', async () => (await entries(stack, SHADOW)).length === 0);
    const { Body } = await s3.getObject({ Bucket, Key: name });
    assert.equal(await Body?.transformToString(), name);
  }
  assert.equal((await storedBlobs(folder)).length, 2);
});

test('when the answer to a part is lost its data stays, for the part may be there', async t => {
  let relayed: Awaited<ReturnType<typeof startMetadataRelay>> | undefined;
  const stack = await startStack(t, async port => {
    relayed = await startMetadataRelay(t, port('METADATA_PORT'));
    return { METADATA_PORT: String(relayed.port) };
  });
  const { s3, folder } = stack;
  assert.ok(relayed);
  await s3.createBucket({ Bucket });
  const { UploadId } = await s3.createMultipartUpload({ Bucket, Key });
  const send = () => s3.uploadPart({ Bucket, Key, UploadId, PartNumber: 1, Body: 'part' });
  const onPart = (fate: 'refused' | 'answerLost', type: 'InvalidArgument' | 'ServiceUnavailable') => {
    assert.ok(relayed);
    relayed.fate = ({ name, database }) =>
      name === 'put' && database === SHADOW ? ({ [fate]: type } as { refused: typeof type }) : 'passed';
  };
  onPart('refused', 'InvalidArgument');
  await assert.rejects(send());
  await eventually('data of no part is gone', async () => (await storedBlobs(folder)).length === 0);
  onPart('answerLost', 'ServiceUnavailable');
  await assert.rejects(send());
  relayed.fate = () => 'passed';
  const { Parts = [] } = await s3.listParts({ Bucket, Key, UploadId });
  assert.equal(Parts.length, 1);
  await s3.completeMultipartUpload({ Bucket, Key, UploadId, MultipartUpload: { Parts } });
  assert.equal((await read(stack)).toString(), 'part');
});

test('a completion whose answer is lost is found again, and the object deleted since does not come back', async t => {
  let relayed: Awaited<ReturnType<typeof startMetadataRelay>> | undefined;
  const stack = await startStack(t, async port => {
    relayed = await startMetadataRelay(t, port('METADATA_PORT'));
    return { METADATA_PORT: String(relayed.port) };
  });
  const { s3, folder } = stack;
  assert.ok(relayed);
  await s3.createBucket({ Bucket });
  for (const isDeleted of [false, true]) {
    const { UploadId } = await s3.createMultipartUpload({ Bucket, Key });
    const { ETag } = await s3.uploadPart({ Bucket, Key, UploadId, PartNumber: 1, Body: 'part' });
    const MultipartUpload = { Parts: [{ PartNumber: 1, ETag }] };
    relayed.fate = call =>
      isPut(call) && call.database === Bucket ? { answerLost: 'ServiceUnavailable' } : 'passed';
    await assert.rejects(s3.completeMultipartUpload({ Bucket, Key, UploadId, MultipartUpload }));
    relayed.fate = () => 'passed';
    assert.equal((await read(stack)).toString(), 'part');
    if (isDeleted) await s3.deleteObject({ Bucket, Key });
    const again = s3.completeMultipartUpload({ Bucket, Key, UploadId, MultipartUpload });
    if (isDeleted) {
      await assert.rejects(again, { name: 'NoSuchUpload' });
      await s3.abortMultipartUpload({ Bucket, Key, UploadId });
      assert.deepEqual(await storedBlobs(folder), []);
      assert.equal((await s3.listMultipartUploads({ Bucket })).Uploads, undefined);
    } else {
      assert.ok((await again).ETag);
      assert.equal((await read(stack)).toString(), 'part');
      await s3.deleteObject({ Bucket, Key });
      assert.deepEqual(await entries(stack, SHADOW), []);
    }
  }
});

test('without conditions, a completion that comes late makes no second version of its data, and finds its data after an abort', async t => {
  let relayed: Awaited<ReturnType<typeof startMetadataRelay>> | undefined;
  const stack = await startStack(t, async port => {
    relayed = await startMetadataRelay(t, port('METADATA_PORT'), { compares: false });
    return { METADATA_PORT: String(relayed.port), S3_UPLOAD_MAX_AGE: '2s' };
  });
  const { s3, metadata } = stack;
  assert.ok(relayed);
  await s3.createBucket({ Bucket });
  await s3.putBucketVersioning({ Bucket, VersioningConfiguration: { Status: 'Enabled' } });
  const upload = async (Body: string) => {
    const { UploadId } = await s3.createMultipartUpload({ Bucket, Key });
    const { ETag } = await s3.uploadPart({ Bucket, Key, UploadId, PartNumber: 1, Body });
    const MultipartUpload = { Parts: [{ PartNumber: 1, ETag }] };
    return { Bucket, Key, UploadId, MultipartUpload };
  };
  let late: readonly unknown[] | undefined;
  const arrive = async (): Promise<void> => {
    const [key, value, options] = late as [string, string, object];
    await metadata.putObject(Bucket, key, JSON.parse(value) as ObjectValue, options, 'test');
  };
  const first = await upload('part');
  relayed.fate = async ({ name, database, args }) => {
    if (name !== 'put' || database !== Bucket) return 'passed';
    if (late === undefined) {
      late = args;
      return { refused: 'ServiceUnavailable' };
    }
    await arrive();
    return 'passed';
  };
  await assert.rejects(s3.completeMultipartUpload(first));
  const { VersionId } = await s3.completeMultipartUpload(first);
  const { Versions = [] } = await s3.listObjectVersions({ Bucket });
  assert.deepEqual(
    Versions.map(version => version.VersionId),
    [VersionId],
  );
  assert.equal((await read(stack)).toString(), 'part');
  assert.deepEqual(await entries(stack, SHADOW), []);

  const second = await upload('given up');
  late = undefined;
  await assert.rejects(s3.completeMultipartUpload(second));
  await s3.abortMultipartUpload(second);
  assert.deepEqual((await s3.listMultipartUploads({ Bucket })).Uploads ?? [], []);
  await arrive();
  assert.equal((await read(stack)).toString(), 'given up');
  const third = await upload('first');
  late = undefined;
  await assert.rejects(s3.completeMultipartUpload(third));
  await s3.uploadPart({ Bucket, Key, UploadId: third.UploadId, PartNumber: 1, Body: 'again' });
  await arrive();
  assert.equal((await read(stack)).toString(), 'first');
  await eventually('what is left is swept', async () => (await entries(stack, SHADOW)).length === 0);
  assert.equal((await read(stack)).toString(), 'first');
});

test('a completion that is tried again after a copy in place finds the copy, and makes no second version of its data', async t => {
  let relayed: Awaited<ReturnType<typeof startMetadataRelay>> | undefined;
  const stack = await startStack(t, async port => {
    relayed = await startMetadataRelay(t, port('METADATA_PORT'));
    return { METADATA_PORT: String(relayed.port) };
  });
  const { s3 } = stack;
  assert.ok(relayed);
  await s3.createBucket({ Bucket });
  const { UploadId } = await s3.createMultipartUpload({ Bucket, Key });
  const { ETag } = await s3.uploadPart({ Bucket, Key, UploadId, PartNumber: 1, Body: 'part' });
  const MultipartUpload = { Parts: [{ PartNumber: 1, ETag }] };
  const complete = () => s3.completeMultipartUpload({ Bucket, Key, UploadId, MultipartUpload });
  // What is left of the upload stays.
  relayed.fate = ({ name }) => (name === 'del' ? { refused: 'ServiceUnavailable' } : 'passed');
  await complete();
  relayed.fate = () => 'passed';
  const Metadata = { by: 'copy' };
  const CopySource = `${Bucket}/${Key}`;
  await s3.copyObject({ Bucket, Key, CopySource, MetadataDirective: 'REPLACE', Metadata });
  await s3.putBucketVersioning({ Bucket, VersioningConfiguration: { Status: 'Enabled' } });
  await complete();
  assert.deepEqual((await s3.headObject({ Bucket, Key })).Metadata, Metadata);
  assert.equal((await s3.listObjectVersions({ Bucket })).Versions?.length, 1);
  assert.equal((await read(stack)).toString(), 'part');
  assert.deepEqual(await entries(stack, SHADOW), []);
});

test('a hundred uploads at once take no more memory than a few', async t => {
  const stack = await startStack(t);
  const { s3, front } = stack;
  await s3.createBucket({ Bucket });
  const body = randomBytes(4 * 1024 * 1024);
  const peakOf = async (): Promise<number> => {
    const status = await readFile(`/proc/${front.pid}/status`, 'utf8');
    return Number(/VmHWM:\s+(\d+) kB/.exec(status)?.[1]) / 1024;
  };
  const upload = async (name: string): Promise<void> => {
    const { UploadId } = await s3.createMultipartUpload({ Bucket, Key: name });
    const Parts = await Promise.all(
      [1].map(async PartNumber => {
        const { ETag } = await s3.uploadPart({ Bucket, Key: name, UploadId, PartNumber, Body: body });
        return { PartNumber, ETag };
      }),
    );
    await s3.completeMultipartUpload({ Bucket, Key: name, UploadId, MultipartUpload: { Parts } });
  };
  const before = await peakOf();
  await Promise.all(Array.from({ length: 100 }, (_, at) => upload(`k${at}`)));
  const { KeyCount } = await s3.listObjectsV2({ Bucket });
  assert.equal(KeyCount, 100);
  const grown = (await peakOf()) - before;
  // 400 MiB went through it.
  assert.ok(grown < 200, `grew by ${grown} MiB`);
});
