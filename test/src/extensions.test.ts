/** `EXTENSIONS=helloWorld,sortByType npm start`: what it names works, beside helloWorld. */
import assert from 'node:assert/strict';
import test from 'node:test';
import {
  CreateBucketCommand,
  GetObjectTaggingCommand,
  HeadObjectCommand,
  PutObjectCommand,
} from '@aws-sdk/client-s3';
import { sleep } from '@zenko-modules/common/deadline';
import { temporaryFolder } from '@zenko-modules/common/testing/temporary-folder';
import { startAll } from './support/everything.js';
import { s3Client } from './support/s3-client.js';

async function eventually(what: string, check: () => Promise<boolean>): Promise<void> {
  const end = Date.now() + 60_000;
  while (!(await check())) {
    assert.ok(Date.now() < end, what);
    await sleep(100);
  }
}

test('sortByType sorts, and helloWorld tags', async t => {
  const everything = await startAll(t, await temporaryFolder(t), { EXTENSIONS: 'sortByType' });
  assert.ok((everything.ports['PROCESSOR_PROBE_PORT of sortByType'] ?? 0) > 0);
  const s3 = s3Client(t, everything);
  for (const Bucket of ['incoming', 'text']) await s3.send(new CreateBucketCommand({ Bucket }));
  const put = (Key: string): Promise<unknown> =>
    s3.send(new PutObjectCommand({ Bucket: 'incoming', Key, Body: 'Hi!', ContentType: 'text/plain' }));
  await put('note');
  const isIn = (Bucket: string, Key: string): Promise<boolean> =>
    s3.send(new HeadObjectCommand({ Bucket, Key })).then(
      () => true,
      () => false,
    );
  await eventually('the note is among the texts', () => isIn('text', 'note'));
  await eventually('it is not where it came in', async () => !(await isIn('incoming', 'note')));
  await s3.send(new PutObjectCommand({ Bucket: 'text', Key: 'helloworld', Body: 'Hi!' }));
  await eventually('helloWorld has tagged', async () => {
    const { TagSet } = await s3.send(new GetObjectTaggingCommand({ Bucket: 'text', Key: 'helloworld' }));
    return TagSet?.some(({ Key }) => Key === 'hello') === true;
  });
});
