import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { mkdir, writeFile } from 'node:fs/promises';
import path from 'node:path';
import test, { type TestContext } from 'node:test';
import { GetObjectCommand, type S3Client } from '@aws-sdk/client-s3';
import { S3 } from '@aws-sdk/client-s3';
import { silentLogger } from '@zenko-modules/common/logger';
import { readSettings } from '@zenko-modules/common/settings';
import { temporaryFolder } from '@zenko-modules/common/testing/temporary-folder';
import { startFront } from '@zenko-modules/s3-front/front';
import { FRONT_SETTINGS } from '@zenko-modules/s3-front/front-settings';
import { DataUnderTest } from '../testing/data-under-test.js';
import { MetadataUnderTest } from '../testing/metadata-under-test.js';
import { type Environment, eventsOf, runTool } from '../testing/run-tool.js';

interface Stack {
  readonly metadata: MetadataUnderTest;
  readonly data: DataUnderTest;
  readonly env: Environment;
  readonly s3: S3;
  readonly file: (bytes: Buffer | string) => Promise<string>;
}

/** Both modules, and s3-front before them, which reads what CloudServer reads. */
async function start(t: TestContext): Promise<Stack> {
  const [metadata, data] = await Promise.all([MetadataUnderTest.start(t), DataUnderTest.start(t)]);
  const env = { ...metadata.env, ...data.env };
  const front = await startFront(
    readSettings(FRONT_SETTINGS, { ...env, S3_PORT: '0', S3_PROBE_PORT: '0' }),
    silentLogger(),
  );
  const s3 = new S3({
    endpoint: `http://127.0.0.1:${front.ports.S3_PORT ?? 0}`,
    region: 'us-east-1',
    forcePathStyle: true,
    credentials: { accessKeyId: 'accessKey1', secretAccessKey: 'verySecretKey1' },
  });
  t.after(async () => {
    s3.destroy();
    await front.close();
  });
  const folder = await temporaryFolder(t);
  let files = 0;
  const file = async (bytes: Buffer | string): Promise<string> => {
    const name = path.join(folder, String((files += 1)));
    await writeFile(name, bytes);
    return name;
  };
  return { metadata, data, env, s3, file };
}

async function read(
  s3: S3Client,
  Key: string,
  VersionId?: string,
): Promise<{ bytes: Buffer; tag?: string; type?: string }> {
  const { Body, ETag, ContentType } = await s3.send(new GetObjectCommand({ Bucket: 'bkt', Key, VersionId }));
  const bytes = Buffer.from((await Body?.transformToByteArray()) ?? []);
  return { bytes, ...(ETag && { tag: ETag }), ...(ContentType && { type: ContentType }) };
}

test('what put stores, S3 reads; what it replaces is gone; rm leaves nothing', async t => {
  const { s3, env, data, file } = await start(t);
  await s3.createBucket({ Bucket: 'bkt' });
  const large = Buffer.alloc(3_000_001, 'x');
  const first = await runTool(
    t,
    ['put', 'bkt/a/ö', await file(large), '--content-type', 'text/plain', '--json'],
    env,
  );
  assert.equal(first.code, 0, first.stderr);
  const [stored] = eventsOf(first.stdout, 'stored');
  assert.deepEqual([stored?.bucket, stored?.key, stored?.size], ['bkt', 'a/ö', large.length]);
  const got = await read(s3, 'a/ö');
  assert.ok(got.bytes.equals(large));
  const md5 = createHash('md5').update(large).digest('hex');
  assert.deepEqual([got.tag, got.type], [`"${md5}"`, 'text/plain']);
  const { Contents = [] } = await s3.listObjectsV2({ Bucket: 'bkt' });
  assert.deepEqual([Contents[0]?.Key, Contents[0]?.Size], ['a/ö', large.length]);

  const second = await runTool(t, ['put', 'bkt/a/ö', await file('')], env);
  assert.deepEqual([second.code, second.stdout], [0, 'bkt/a/ö: 0 bytes\n']);
  assert.equal((await read(s3, 'a/ö')).bytes.length, 0);
  assert.equal(await data.has(String(stored?.blob)), false, 'what was replaced');

  await s3.putObject({ Bucket: 'bkt', Key: 's3', Body: 'through S3' });
  const removed = await runTool(t, ['rm', 'bkt/s3', '--json'], env);
  assert.equal(removed.code, 0, removed.stderr);
  const [gone] = eventsOf(removed.stdout, 'removed');
  const [blob] = gone?.blobs as string[];
  assert.equal(await data.has(String(blob)), false);
  await assert.rejects(read(s3, 's3'), { name: 'NoSuchKey' });
  assert.equal((await runTool(t, ['rm', 'bkt/s3'], env)).code, 2);
});

test('a bucket with versions gets one more from put; rm takes the one that is named', async t => {
  const { s3, env, file, data } = await start(t);
  await s3.createBucket({ Bucket: 'bkt' });
  await s3.putBucketVersioning({ Bucket: 'bkt', VersioningConfiguration: { Status: 'Enabled' } });
  const { VersionId } = await s3.putObject({ Bucket: 'bkt', Key: 'k', Body: 'old' });
  const put = await runTool(t, ['put', 'bkt/k', await file('new'), '--json'], env);
  assert.equal(put.code, 0, put.stderr);
  const [{ versionId } = {}] = eventsOf(put.stdout, 'stored');
  assert.equal((await read(s3, 'k')).bytes.toString(), 'new');
  assert.equal((await read(s3, 'k', VersionId)).bytes.toString(), 'old');
  const unnamed = await runTool(t, ['rm', 'bkt/k'], env);
  assert.deepEqual([unnamed.code, /it has versions: name one/.test(unnamed.stderr)], [2, true]);
  const removed = await runTool(t, ['rm', 'bkt/k', '--version-id', String(versionId), '--json'], env);
  assert.equal(removed.code, 0, removed.stderr);
  assert.equal((await read(s3, 'k')).bytes.toString(), 'old');
  const { Versions = [] } = await s3.listObjectVersions({ Bucket: 'bkt' });
  assert.equal(Versions.length, 1);
  const [{ blobs } = {}] = eventsOf(removed.stdout, 'removed');
  assert.equal(await data.has((blobs as string[])[0] ?? ''), false);
});

test('what only S3 can do is refused, and nothing is left of it', async t => {
  const { s3, env, file, metadata } = await start(t);
  await s3.createBucket({ Bucket: 'bkt' });
  await s3.putObject({ Bucket: 'bkt', Key: 'k', Body: 'before versions' });
  const one = await file('one');
  const refused = async (args: string[], reason: RegExp): Promise<void> => {
    const { code, stderr } = await runTool(t, args, env);
    assert.equal(code, 2, args.join(' '));
    assert.match(stderr, reason);
  };
  await refused(['put', 'none/k', one], /none: there is no such bucket/);
  await refused(['put', 'bkt', one], /expected <bucket>\/<key>/);
  await refused(['put', 'bkt/k', path.dirname(one)], /expected a file/);
  await refused(['put', 'bkt/k', `${one}-not`], /cannot be read/);
  await s3.putBucketVersioning({ Bucket: 'bkt', VersioningConfiguration: { Status: 'Enabled' } });
  await refused(['put', 'bkt/k', one], /null version: store it through S3/);
  await s3.putBucketVersioning({ Bucket: 'bkt', VersioningConfiguration: { Status: 'Suspended' } });
  await refused(['put', 'bkt/k', one], /suspended: store it through S3/);
  await metadata.put('bkt', 'cloud', { location: [{ key: 'a'.repeat(40), dataStoreType: 'aws_s3' }] });
  await refused(['rm', 'bkt/cloud', '--version-id', 'null'], /there is none/);
  assert.equal((await read(s3, 'k')).bytes.toString(), 'before versions');
});

test('rm tells of a blob that was missing, and ends with 1', async t => {
  const { s3, env, data, file } = await start(t);
  await s3.createBucket({ Bucket: 'bkt' });
  const [{ blob } = {}] = eventsOf(
    (await runTool(t, ['put', 'bkt/k', await file('x'), '--json'], env)).stdout,
    'stored',
  );
  await data.lose(String(blob));
  const { code, stdout } = await runTool(t, ['rm', 'bkt/k'], env);
  assert.deepEqual(
    [code, stdout],
    [1, `bkt: "k": removed, with 1 blobs; these were missing: ${String(blob)}\n`],
  );
});

test('lag tells of readers and of groups, and measures them', async t => {
  const { env, metadata, s3 } = await start(t);
  await s3.createBucket({ Bucket: 'bkt' });
  for (const key of ['1', '2', '3']) await s3.putObject({ Bucket: 'bkt', Key: key, Body: key });
  const folder = await temporaryFolder(t);
  await mkdir(path.join(folder, 'extensions'));
  const all = { ...env, DATA_DIR: folder };
  await metadata.readLog({ startSeq: 1, limit: 0, reader: 'populator' });
  const { code, stdout, stderr } = await runTool(t, ['lag', '--json'], all);
  assert.equal(code, 0, stderr);
  const [log] = eventsOf(stdout, 'log');
  assert.deepEqual(eventsOf(stdout, 'reader'), [
    { event: 'reader', reader: 'populator', nextSeq: 1, lag: log?.last },
  ]);
  assert.ok(Number(log?.last) >= 4);
  const groups = eventsOf(stdout, 'group').map(({ topic, messages }) => [topic, messages]);
  assert.deepEqual(groups, [
    ['backbeat-hello-world', 0],
    ['backbeat-hello-world-failed', 0],
  ]);
  assert.equal((await runTool(t, ['lag', '--max', '2'], all)).code, 1);
  assert.equal((await runTool(t, ['lag', '--max', 'x'], all)).code, 2);
  assert.equal((await runTool(t, ['lag'], { ...all, METADATA_PORT: '1' })).code, 2);
});
