import assert from 'node:assert/strict';
import test from 'node:test';
import {
  CompleteMultipartUploadCommand,
  CreateMultipartUploadCommand,
  type S3Client,
  UploadPartCommand,
} from '@aws-sdk/client-s3';
import { temporaryFolder } from '@zenko-modules/common/testing/temporary-folder';
import { SortByTypePopulator } from '../sortByType/populator.js';
import { SortByTypeProcessor } from '../sortByType/processor.js';
import { validateSortByTypeConfig } from '../sortByType/config.js';
import { failureKind } from '../../framework/processor/failures.js';
import { startFaultyProxy } from '../../testing/faulty-proxy.js';
import { moverThrough } from '../../testing/moving.js';
import { filterAndProcess } from '../../testing/filter-and-process.js';
import { putEntry, putObject, startStack } from '../../testing/stack.js';
import { bodiesOf, createVersionedBucket, tagsOfVersions } from '../../testing/versions.js';

const ContentType = 'text/plain';
const marker = undefined;

/** Each request asks for the deletion of whatever is there, as on a server that knows no conditions of deletions. */
function withoutConditionsOfDeletions(client: S3Client): void {
  client.middlewareStack.add(
    next => args => {
      const { method, headers } = args.request as { method: string; headers: Record<string, string> };
      if (method === 'DELETE') delete headers['if-match'];
      return next(args);
    },
    { step: 'build' },
  );
}

test('moving out of and into buckets with versions', async t => {
  const { metadata, s3, s3Port } = await startStack(t, await temporaryFolder(t));
  for (const bucket of ['incoming', 'texts']) await createVersionedBucket(s3, bucket);
  const { move } = moverThrough(s3Port, 'incoming', 'texts');
  const put = (key: string, Body: string, Tagging?: string): Promise<void> =>
    putObject(s3, 'incoming', key, { Body, ContentType, Tagging });
  const incoming = (key: string): Promise<(string | undefined)[]> => bodiesOf(s3, 'incoming', key);
  const texts = (key: string): Promise<(string | undefined)[]> => bodiesOf(s3, 'texts', key);

  await t.test('what moving writes gives rise to no further move', async () => {
    const run = filterAndProcess({
      metadata,
      s3Port,
      config: validateSortByTypeConfig({}, { buckets: ['incoming'], targets: { text: 'texts' } }),
      Populator: SortByTypePopulator,
      Processor: SortByTypeProcessor,
    });
    await put('sorted', 'first');
    await put('sorted', 'second');
    // The message of the first version found the second, which leaves nothing for its own.
    assert.deepEqual(await run(), ['processed', 'gone']);
    assert.deepEqual(await incoming('sorted'), [marker, 'second', 'first']);
    assert.deepEqual(await texts('sorted'), ['second']);
  });

  await t.test('the current version is moved, and a delete marker covers what stays', async () => {
    await put('current', 'old');
    await put('current', 'new', 'a=b');
    await move('current');
    assert.deepEqual(await incoming('current'), [marker, 'new', 'old']);
    assert.deepEqual(await texts('current'), ['new']);
    assert.deepEqual(await tagsOfVersions(s3, 'texts', 'current'), [{ a: 'b' }]);
    await assert.rejects(move('current'), (err: unknown) => failureKind(err) === 'gone');
    assert.deepEqual(await incoming('current'), [marker, 'new', 'old']);
  });

  for (const [key, server, prepare] of [
    ['compared', 'a server that compares', undefined],
    ['uncompared', 'a server that does not compare', withoutConditionsOfDeletions],
  ] as const) {
    const name = `a version that comes just before the deletion stays the current one, on ${server}`;
    await t.test(name, async () => {
      const proxy = await startFaultyProxy(t, s3Port);
      const through = moverThrough(proxy.port, 'incoming', 'texts', prepare);
      await put(key, 'first');
      let came = false;
      const deletions: string[] = [];
      proxy.fault = async (method, url) => {
        if (method !== 'DELETE' || !url.startsWith(`/incoming/${key}`)) return undefined;
        deletions.push(url.includes('versionId=') ? 'of a version' : 'of what is current');
        if (!came) await put(key, 'second');
        came = true;
        return undefined;
      };
      await assert.rejects(through.move(key), /was written again while it was moved/);
      // Where it was not compared, the marker is taken back.
      const expected = prepare ? ['of what is current', 'of a version'] : ['of what is current'];
      assert.deepEqual(deletions, expected);
      assert.deepEqual(await incoming(key), ['second', 'first']);
      assert.deepEqual(await texts(key), [], 'the outdated copy is taken back');
      await through.move(key);
      assert.deepEqual(await texts(key), ['second']);
      assert.deepEqual(await incoming(key), [marker, 'second', 'first']);
    });
  }

  await t.test('an object over 5 GiB is refused for good, and nothing is touched', async () => {
    await put('large', 'in truth small');
    const get = { rpcArgs: ['large', {}], subLevel: ['incoming'] };
    const value = JSON.parse(String(await metadata.rpc.call('get', get))) as Record<string, unknown>;
    const size = { 'content-length': 5 * 1024 ** 3 + 1 };
    await putEntry(metadata, 'incoming', 'large', { ...value, ...size }, { versioning: true });
    const before = await metadata.rpc.call('get', get);
    await assert.rejects(move('large'), {
      name: 'PermanentError',
      message: 'incoming/large is larger than the 5 GiB that S3 copies at once',
    });
    assert.equal(await metadata.rpc.call('get', get), before);
    assert.deepEqual(await texts('large'), []);
  });

  await t.test(
    'a copy whose ETag differs, as that of an upload in parts may, is compared by its bytes',
    async () => {
      const putInParts = async (Key: string, Body: string): Promise<void> => {
        const upload = { Bucket: 'incoming', Key };
        const { UploadId } = await s3.send(new CreateMultipartUploadCommand({ ...upload, ContentType }));
        const part = { ...upload, UploadId, PartNumber: 1, Body };
        const { ETag } = await s3.send(new UploadPartCommand(part));
        const MultipartUpload = { Parts: [{ PartNumber: 1, ETag }] };
        await s3.send(new CompleteMultipartUploadCommand({ ...upload, UploadId, MultipartUpload }));
      };
      await putInParts('parts', 'in parts');
      await move('parts');
      assert.deepEqual(await incoming('parts'), [marker, 'in parts']);
      // As an attempt that was killed after its copy leaves it.
      await putInParts('left', 'in parts');
      await putObject(s3, 'texts', 'left', { Body: 'in parts', ContentType });
      await move('left');
      assert.deepEqual(await texts('left'), ['in parts']);
      await putInParts('other', 'in parts');
      await putObject(s3, 'texts', 'other', { Body: 'in PARTS', ContentType });
      await assert.rejects(move('other'), { name: 'PermanentError' });
    },
  );
});
