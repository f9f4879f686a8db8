/** Modules that die, hang and come back: the front says so within seconds, loses nothing, and goes on by itself. */
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import http from 'node:http';
import test from 'node:test';
import { S3ServiceException } from '@aws-sdk/client-s3';
import { sleep, withDeadline } from '@zenko-modules/common/deadline';
import { refused } from '../testing/expect-error.js';
import {
  type Fate,
  type MetadataRelay,
  type RelayedCall,
  startMetadataRelay,
} from '../testing/metadata-relay.js';
import { send, sign } from '../testing/raw-request.js';
import { type S3Stack, startStack } from '../testing/s3-stack.js';
import { assertBlobs, storedBlobs, uploadHasBegun } from '../testing/stored-blobs.js';

const Bucket = 'away';
/** Far above what the front needs, below what a client would take for a hang. */
const ANSWER_MS = 20_000;

async function start(t: Parameters<typeof startStack>[0]): Promise<S3Stack> {
  const stack = await startStack(t, { S3_MODULE_TIMEOUT_MS: '2000' });
  await stack.s3.createBucket({ Bucket });
  await stack.s3.putObject({ Bucket, Key: 'kept', Body: 'content' });
  return stack;
}

async function unavailable(call: Promise<unknown>): Promise<void> {
  await refused(withDeadline(call, ANSWER_MS, 'an answer'), 'ServiceUnavailable', 503);
}

async function read({ s3 }: S3Stack, Key: string): Promise<string | undefined> {
  return (await s3.getObject({ Bucket, Key })).Body?.transformToString();
}

/** Tries until it succeeds: the front finds the module again by itself. */
async function recovers(work: () => Promise<unknown>): Promise<void> {
  const deadline = Date.now() + ANSWER_MS;
  for (;;) {
    try {
      await work();
      return;
    } catch (err) {
      if (!(err instanceof S3ServiceException) || err.name !== 'ServiceUnavailable') throw err;
      if (Date.now() > deadline) throw err;
      await sleep(100);
    }
  }
}

interface Upload {
  readonly request: http.ClientRequest;
  readonly status: () => Promise<number | undefined>;
}

/** Sends the head of an upload and `sent` bytes of its body, and waits until the data module has some of it. */
async function startUpload(
  { url, folder }: S3Stack,
  key: string,
  size: number,
  sent: number,
): Promise<Upload> {
  const { headers, path } = await sign(url, {
    method: 'PUT',
    path: `/${Bucket}/${key}`,
    headers: { 'content-length': String(size) },
  });
  const request = http.request(url + path, { method: 'PUT', headers, agent: false });
  const answered = new Promise<number | undefined>((resolve, reject) => {
    request.once('error', reject);
    request.once('response', response => {
      response.resume();
      resolve(response.statusCode);
    });
  });
  request.write(Buffer.alloc(sent));
  await uploadHasBegun(folder);
  return { request, status: () => withDeadline(answered, ANSWER_MS, 'an answer') };
}

async function assertNotReady(stack: S3Stack): Promise<void> {
  assert.equal(await readyStatus(stack), 503);
}

async function readyStatus(stack: S3Stack): Promise<number> {
  const response = await fetch(`http://127.0.0.1:${stack.port('S3_PROBE_PORT')}/_/ready`);
  return response.status;
}

test('while the metadata module is away', async t => {
  const stack = await start(t);
  const { s3 } = stack;
  const blobs = async (): Promise<number> => (await storedBlobs(stack.folder)).length;

  await t.test('killed or hung, it makes every call fail in time, and no upload begins', async () => {
    assert.equal(await readyStatus(stack), 200);
    for (const [signal, back] of [
      ['SIGKILL', () => stack.restart('metadata-module')],
      ['SIGSTOP', () => stack.resume('metadata-module')],
    ] as const) {
      if (signal === 'SIGKILL') await stack.kill('metadata-module');
      else stack.signal('metadata-module', signal);
      await Promise.all([
        unavailable(s3.getObject({ Bucket, Key: 'kept' })),
        unavailable(s3.putObject({ Bucket, Key: 'new', Body: 'x' })),
        unavailable(s3.deleteObject({ Bucket, Key: 'kept' })),
        unavailable(s3.listBuckets({})),
        unavailable(s3.listObjectsV2({ Bucket })),
        unavailable(s3.createBucket({ Bucket: 'new' })),
        assertNotReady(stack),
      ]);
      assert.equal(await blobs(), 1);
      await back();
      await recovers(() => read(stack, 'kept'));
      assert.equal(await readyStatus(stack), 200);
    }
    assert.equal(await read(stack, 'kept'), 'content');
  });

  await t.test(
    'data that was stored when it went leaves nothing behind if surely no object has it',
    async () => {
      const upload = await startUpload(stack, 'late', 3_000_000, 1_000_000);
      await stack.kill('metadata-module');
      upload.request.end(Buffer.alloc(2_000_000));
      assert.equal(await upload.status(), 503);
      assert.equal(await blobs(), 1);
      await stack.restart('metadata-module');
      await recovers(() => read(stack, 'kept'));
      await refused(s3.headObject({ Bucket, Key: 'late' }), 'NotFound', 404);
    },
  );
});

test('while the data module is away', async t => {
  const stack = await start(t);
  const { s3, url } = stack;
  const size = 48 * 1024 * 1024;
  await s3.putObject({ Bucket, Key: 'large', Body: Buffer.alloc(size) });
  const startDownload = async (): Promise<http.IncomingMessage> => {
    const { headers, path } = await sign(url, { path: `/${Bucket}/large` });
    const request = http.get(url + path, { headers, agent: false });
    const response = await new Promise<http.IncomingMessage>(resolve => request.once('response', resolve));
    await new Promise(resolve => response.once('data', resolve));
    return response;
  };

  await t.test('a client that goes away in a download is no error', async () => {
    for (let count = 0; count < 5; count += 1) (await startDownload()).destroy();
    await stack.printed('s3-front', /(the client went away.*){5}/s);
    assert.doesNotMatch(stack.front.output(), /"level":50/);
  });

  await t.test('killed or hung, it makes calls for content fail in time, and nothing changes', async () => {
    for (const [signal, back] of [
      ['SIGKILL', () => stack.restart('data-module')],
      ['SIGSTOP', () => stack.resume('data-module')],
    ] as const) {
      if (signal === 'SIGKILL') await stack.kill('data-module');
      else stack.signal('data-module', signal);
      await Promise.all([
        unavailable(s3.getObject({ Bucket, Key: 'kept' })),
        unavailable(s3.putObject({ Bucket, Key: 'kept', Body: 'x' })),
        unavailable(s3.putObject({ Bucket, Key: 'kept', Body: randomBytes(5_000_000) })),
        unavailable(s3.copyObject({ Bucket, Key: 'copy', CopySource: `${Bucket}/kept` })),
        s3.headObject({ Bucket, Key: 'kept' }),
        s3.listObjectsV2({ Bucket }),
        s3.putObjectTagging({ Bucket, Key: 'kept', Tagging: { TagSet: [{ Key: 'a', Value: signal }] } }),
        assertNotReady(stack),
      ]);
      await back();
      await recovers(() => read(stack, 'kept'));
    }
    assert.equal(await read(stack, 'kept'), 'content');
    await refused(s3.headObject({ Bucket, Key: 'copy' }), 'NotFound', 404);
  });

  await t.test('a download that it dies in is cut off, never taken for whole', async () => {
    const response = await startDownload();
    response.pause();
    await stack.kill('data-module');
    let received = 0;
    await assert.rejects(async () => {
      for await (const part of response) received += (part as Buffer).length;
    }, /aborted/);
    assert.ok(received < size);
    await stack.restart('data-module');
  });

  await t.test('an upload that it dies in is answered, though the client is not done', async () => {
    const upload = await startUpload(stack, 'broken', size, 1_000_000);
    await stack.kill('data-module');
    assert.equal(await upload.status(), 503);
    upload.request.destroy();
    await stack.restart('data-module');
    await recovers(() => read(stack, 'kept'));
    await refused(s3.headObject({ Bucket, Key: 'broken' }), 'NotFound', 404);
  });

  await t.test('an object can be deleted, and is gone, though its data is not', async () => {
    await stack.kill('data-module');
    await s3.deleteObject({ Bucket, Key: 'kept' });
    await refused(s3.getObject({ Bucket, Key: 'kept' }), 'NoSuchKey', 404);
    await stack.printed('s3-front', /data that nothing refers to could not be deleted/);
  });
});

test('of many who wait for each other while a module does not answer, most give up', async t => {
  let started: MetadataRelay | undefined;
  const { s3, folder } = await startStack(t, async port => {
    started = await startMetadataRelay(t, port('METADATA_PORT'));
    return { METADATA_PORT: String(started.port), S3_MODULE_TIMEOUT_MS: '500' };
  });
  assert.ok(started);
  const relay = started;
  await s3.createBucket({ Bucket });
  const Key = 'k';
  const { UploadId } = await s3.createMultipartUpload({ Bucket, Key });
  const TagSet = [{ Key: 'a', Value: 'b' }];
  const MultipartUpload = { Parts: [{ PartNumber: 1, ETag: '"0"' }] };
  const upload = { Bucket, Key, UploadId };
  const isEntry =
    (database: string, part: string) =>
    ({ name, database: of, args }: RelayedCall): boolean =>
      name === 'get' && of === database && String(args[0]).includes(part);
  const cases = [
    {
      name: 'for a bucket',
      write: () => s3.putBucketTagging({ Bucket, Tagging: { TagSet } }),
      // The first call that who holds it makes, and nobody else.
      isHeld: isEntry('__metastore', Bucket),
    },
    {
      name: 'for a part',
      write: () => s3.uploadPart({ ...upload, PartNumber: 1, Body: 'part' }),
      isHeld: isEntry(`mpuShadowBucket${Bucket}`, '00001'),
    },
    {
      name: 'for an upload',
      write: () => s3.completeMultipartUpload({ ...upload, MultipartUpload }),
      isHeld: isEntry(`mpuShadowBucket${Bucket}`, 'overview'),
    },
  ];
  const WRITERS = 12;
  for (const { name, write, isHeld } of cases) {
    await t.test(name, async () => {
      let asked = 0;
      const stop = new AbortController();
      relay.fate = async (call): Promise<Fate> => {
        if (!isHeld(call)) return 'passed';
        asked += 1;
        await sleep(ANSWER_MS, stop.signal);
        return 'passed';
      };
      // On a busy machine they may give up before the first of them has asked.
      for (let tries = 0; asked === 0 && tries < 10; tries += 1)
        await Promise.all(Array.from({ length: WRITERS }, () => unavailable(write())));
      assert.ok(
        asked > 0 && asked < WRITERS,
        `${asked} of ${WRITERS} have not given up before it was their turn`,
      );
      relay.fate = () => 'passed';
      stop.abort();
      await assertBlobs(folder, 0);
    });
  }
});

test('the front starts before the modules do, and serves as soon as they are there', async t => {
  const stack = await startStack(t);
  await stack.kill('metadata-module');
  await stack.kill('data-module');
  await stack.kill('s3-front', 'SIGTERM');
  await stack.restart('s3-front');
  const { headers, path } = await sign(stack.url, { path: '/' });
  assert.equal((await send(stack.url, { path, headers })).status, 503);
  await Promise.all([stack.restart('metadata-module'), stack.restart('data-module')]);
  await recovers(() => stack.s3.createBucket({ Bucket: 'early' }));
});
