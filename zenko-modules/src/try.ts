/** `npm run try`: puts an object named "helloworld" through S3 and prints the tags that it gets. */
import { setTimeout as sleep } from 'node:timers/promises';
import { CreateBucketCommand, GetObjectTaggingCommand, PutObjectCommand, S3Client } from '@aws-sdk/client-s3';
import { messageOf } from '@zenko-modules/common/errors';
import { httpUrl } from '@zenko-modules/common/http-url';
import { readSettings } from '@zenko-modules/common/settings';
import { QUIET_SDK, reachableAt, TRY_SETTINGS } from './start/parts.js';

const BUCKET = 'try-me';
const KEY = 'helloworld';
const PATIENCE_MS = 10_000;

async function main(): Promise<void> {
  Object.assign(process.env, QUIET_SDK);
  const settings = readSettings(TRY_SETTINGS);
  const endpoint = httpUrl(reachableAt(settings.LISTEN_ADDRESS), settings.S3_PORT);
  const s3 = new S3Client({
    endpoint,
    region: 'us-east-1',
    forcePathStyle: true,
    credentials: { accessKeyId: settings.S3_ACCESS_KEY, secretAccessKey: settings.S3_SECRET_KEY },
  });
  await s3.send(new CreateBucketCommand({ Bucket: BUCKET })).catch((err: unknown) => {
    if (!(err instanceof Error) || err.name !== 'BucketAlreadyOwnedByYou') throw err;
  });
  await s3.send(
    new PutObjectCommand({ Bucket: BUCKET, Key: KEY, Body: 'Hello, world!', Tagging: 'greeted-by=me' }),
  );
  console.log(`put ${endpoint}/${BUCKET}/${KEY} with the tag greeted-by=me`);
  const begin = Date.now();
  while (Date.now() - begin < PATIENCE_MS) {
    const { TagSet = [] } = await s3.send(new GetObjectTaggingCommand({ Bucket: BUCKET, Key: KEY }));
    if (TagSet.some(tag => tag.Key === 'hello')) {
      console.log(`after ${Date.now() - begin} ms its tags are`);
      for (const { Key, Value } of TagSet) console.log(`  ${Key ?? ''}=${Value ?? ''}`);
      return;
    }
    await sleep(50);
  }
  throw new Error(`the object got no tag hello within ${PATIENCE_MS} ms: is helloWorld running?`);
}

main().catch((err: unknown) => {
  console.error(`try: ${messageOf(err)}`);
  process.exitCode = 1;
});
