/** The main job, end to end: everything that `npm start` runs, used through the AWS SDK. */
import assert from 'node:assert/strict';
import test, { type TestContext } from 'node:test';
import {
  CreateBucketCommand,
  GetObjectCommand,
  GetObjectTaggingCommand,
  PutObjectCommand,
  type S3Client,
} from '@aws-sdk/client-s3';
import { sleep } from '@zenko-modules/common/deadline';
import { temporaryFolder } from '@zenko-modules/common/testing/temporary-folder';
import { readRecordLog } from './support/record-log.js';
import { s3Client } from './support/s3-client.js';
import { startAll, type Everything } from './support/everything.js';

const BUCKET = 'greetings';

async function tagsOf(s3: S3Client, Key: string): Promise<Record<string, string>> {
  const { TagSet = [] } = await s3.send(new GetObjectTaggingCommand({ Bucket: BUCKET, Key }));
  return Object.fromEntries(TagSet.map(tag => [tag.Key ?? '', tag.Value ?? '']));
}

async function waitForTag(s3: S3Client, Key: string, withinMs: number): Promise<Record<string, string>> {
  const end = Date.now() + withinMs;
  for (;;) {
    const tags = await tagsOf(s3, Key);
    if ('hello' in tags || Date.now() > end) return tags;
    await sleep(50);
  }
}

async function taggingsOf(everything: Everything, key: string): Promise<number> {
  const records = await readRecordLog(everything.ports.METADATA_PORT ?? 0);
  return records.filter(
    record =>
      record.db === BUCKET &&
      record.entries.some(e => e.key === key && e.value?.includes('ObjectTagging:Put')),
  ).length;
}

async function withBucket(
  t: TestContext,
  dataDir: string,
): Promise<{ everything: Everything; s3: S3Client }> {
  const everything = await startAll(t, dataDir);
  return { everything, s3: s3Client(t, everything) };
}

test('an object named HelloWorld is tagged beside the tags that it had, once, and a restart loses nothing', async t => {
  const dataDir = await temporaryFolder(t);
  const first = await withBucket(t, dataDir);
  await first.s3.send(new CreateBucketCommand({ Bucket: BUCKET }));
  await first.s3.send(
    new PutObjectCommand({ Bucket: BUCKET, Key: 'HelloWorld', Body: 'Hi!', Tagging: 'colour=blue' }),
  );
  await first.s3.send(new PutObjectCommand({ Bucket: BUCKET, Key: 'other', Body: 'Not me' }));
  assert.deepEqual(await waitForTag(first.s3, 'HelloWorld', 5000), { colour: 'blue', hello: 'world' });
  assert.deepEqual(await tagsOf(first.s3, 'other'), {});
  assert.equal(await taggingsOf(first.everything, 'HelloWorld'), 1);
  const stopped = await first.everything.stop();
  assert.equal(stopped.code, 0, first.everything.output());

  const second = await withBucket(t, dataDir);
  const { Body } = await second.s3.send(new GetObjectCommand({ Bucket: BUCKET, Key: 'HelloWorld' }));
  assert.equal(await Body?.transformToString(), 'Hi!');
  assert.deepEqual(await tagsOf(second.s3, 'HelloWorld'), { colour: 'blue', hello: 'world' });
  // What comes after it in the log is tagged, so the log was followed past the first object.
  await second.s3.send(new PutObjectCommand({ Bucket: BUCKET, Key: 'helloworld', Body: 'Hi again!' }));
  assert.deepEqual(await waitForTag(second.s3, 'helloworld', 5000), { hello: 'world' });
  assert.equal(await taggingsOf(second.everything, 'HelloWorld'), 1);
});

test('every part may be killed: it comes back, and nothing that was acknowledged is lost', async t => {
  const dataDir = await temporaryFolder(t);
  const { everything, s3 } = await withBucket(t, dataDir);
  await s3.send(new CreateBucketCommand({ Bucket: BUCKET }));
  const parts = await everything.partPids();
  assert.equal(parts.length, 5);
  for (const [index, pid] of parts.entries()) {
    const Key = `round-${index}/helloworld`;
    await s3.send(new PutObjectCommand({ Bucket: BUCKET, Key: `kept-${index}`, Body: `kept ${index}` }));
    process.kill(pid, 'SIGKILL');
    await everything.waitForOutput(new RegExp(`(?:is back[^]*){${index + 1}}`));
    await s3.send(new PutObjectCommand({ Bucket: BUCKET, Key, Body: 'after the kill' }));
  }
  await s3.send(new PutObjectCommand({ Bucket: BUCKET, Key: 'helloworld', Body: 'Hi!' }));
  assert.deepEqual(await waitForTag(s3, 'helloworld', 10_000), { hello: 'world' });
  for (const index of parts.keys()) {
    const { Body } = await s3.send(new GetObjectCommand({ Bucket: BUCKET, Key: `kept-${index}` }));
    assert.equal(await Body?.transformToString(), `kept ${index}`);
  }
});
