import assert from 'node:assert/strict';
import test from 'node:test';
import { GetObjectCommand, HeadObjectCommand, PutObjectTaggingCommand } from '@aws-sdk/client-s3';
import { temporaryFolder } from '@zenko-modules/common/testing/temporary-folder';
import { startFaultyProxy } from '../../testing/faulty-proxy.js';
import { failureKind } from '../../framework/processor/failures.js';
import { moverThrough } from '../../testing/moving.js';
import { createBucket, putObject, startStack, tagsOf } from '../../testing/stack.js';

test('moving an object', async t => {
  const { s3, s3Port } = await startStack(t, await temporaryFolder(t));
  for (const bucket of ['source', 'target']) await createBucket(s3, bucket);
  const { move } = moverThrough(s3Port, 'source', 'target');
  const isThere = (Bucket: string, Key: string): Promise<boolean> =>
    s3.send(new HeadObjectCommand({ Bucket, Key })).then(
      () => true,
      (err: unknown) => {
        assert.equal((err as Error).name, 'NotFound');
        return false;
      },
    );

  await t.test('headers, metadata and tags go with it', async () => {
    const headers = {
      ContentType: 'text/plain; charset=utf-8',
      CacheControl: 'no-cache',
      ContentDisposition: 'attachment',
      ContentEncoding: 'identity',
      ContentLanguage: 'en',
      Metadata: { made: 'by me' },
    };
    await putObject(s3, 'source', 'a/b', { ...headers, Tagging: 'a=b&c=d' });
    await move('a/b');
    const found = await s3.send(new GetObjectCommand({ Bucket: 'target', Key: 'a/b' }));
    const { ContentType, CacheControl, ContentDisposition, ContentEncoding, ContentLanguage, Metadata } =
      found;
    assert.deepEqual(
      { ContentType, CacheControl, ContentDisposition, ContentEncoding, ContentLanguage, Metadata },
      headers,
    );
    assert.deepEqual(await tagsOf(s3, 'target', 'a/b'), { a: 'b', c: 'd' });
  });

  await t.test(
    'tags that only the source has are no copy of an earlier attempt, and are not lost',
    async () => {
      await putObject(s3, 'source', 'tagged', { Tagging: 'only=here' });
      await putObject(s3, 'target', 'tagged');
      await assert.rejects(move('tagged'), { name: 'PermanentError' });
      assert.deepEqual(await tagsOf(s3, 'source', 'tagged'), { only: 'here' });
      const Tagging = { TagSet: [{ Key: 'only', Value: 'here' }] };
      await s3.send(new PutObjectTaggingCommand({ Bucket: 'target', Key: 'tagged', Tagging }));
      await move('tagged');
    },
  );

  await t.test('an object that comes to the target just before the copy is not overwritten', async () => {
    const proxy = await startFaultyProxy(t, s3Port);
    await putObject(s3, 'source', 'raced', { Body: 'ours' });
    proxy.fault = async (method, url) => {
      const isCopy = method === 'PUT' && url.startsWith('/target/raced');
      if (isCopy) await putObject(s3, 'target', 'raced', { Body: 'theirs' });
      return undefined;
    };
    await assert.rejects(moverThrough(proxy.port, 'source', 'target').move('raced'), {
      name: 'PreconditionFailed',
    });
    const { Body } = await s3.send(new GetObjectCommand({ Bucket: 'target', Key: 'raced' }));
    assert.equal(await Body?.transformToString(), 'theirs');
    assert.ok(await isThere('source', 'raced'));
  });

  await t.test('without its target bucket it stays, and that is told', async () => {
    await putObject(s3, 'source', 'stays');
    await assert.rejects(moverThrough(s3Port, 'source', 'no-such-bucket').move('stays'), {
      name: 'PermanentError',
      message: /there is no bucket no-such-bucket to move to/,
    });
    assert.ok(await isThere('source', 'stays'));
  });

  await t.test('another object at the target is not overwritten, unless that is asked for', async () => {
    await putObject(s3, 'source', 'k', { Body: 'new' });
    await putObject(s3, 'target', 'k', { Body: 'old' });
    await assert.rejects(move('k'), {
      name: 'PermanentError',
      message: /target\/k exists and is another object than source\/k/,
    });
    assert.ok(await isThere('source', 'k'));
    await move('k', true);
    const { Body } = await s3.send(new GetObjectCommand({ Bucket: 'target', Key: 'k' }));
    assert.equal(await Body?.transformToString(), 'new');
    assert.ok(!(await isThere('source', 'k')));
    await assert.rejects(move('k'), { name: 'NoSuchKey' });
  });

  await t.test(
    'a 404 of what stands before S3 is not taken for an object or a bucket that is gone',
    async () => {
      const proxy = await startFaultyProxy(t, s3Port);
      const through = moverThrough(proxy.port, 'source', 'target');
      await putObject(s3, 'source', 'hidden', { Body: 'ours' });
      await putObject(s3, 'target', 'hidden', { Body: 'theirs' });
      const kindWhen = async (isFaulty: (method: string, url: string) => boolean): Promise<string> => {
        proxy.fault = (...request) => (isFaulty(...request) ? { status: 404, code: '' } : undefined);
        return through.move('hidden').then(() => 'moved', failureKind);
      };
      assert.equal(await kindWhen(() => true), 'unavailable');
      // S3 is back when it is asked what the 404 was.
      for (const place of ['/source/hidden', '/target/hidden', '/target']) {
        const isHead = (method: string, url: string): boolean =>
          method === 'HEAD' && url.replace(/\/?(\?.*)?$/, '') === place;
        assert.equal(await kindWhen(isHead), place === '/target' ? 'permanent' : 'other', place);
      }
      const { Body } = await s3.send(new GetObjectCommand({ Bucket: 'target', Key: 'hidden' }));
      assert.equal(await Body?.transformToString(), 'theirs');
    },
  );

  await t.test('a copy that an earlier attempt left is taken for what it is', async () => {
    await putObject(s3, 'source', 'left', { Body: 'same', Metadata: { x: 'y' } });
    await putObject(s3, 'target', 'left', { Body: 'same', Metadata: { x: 'y' } });
    await move('left');
    assert.ok(!(await isThere('source', 'left')));
    await putObject(s3, 'source', 'left', { Body: 'same', Metadata: { x: 'z' } });
    await assert.rejects(move('left'), { name: 'PermanentError' });
  });

  await t.test('an object that is written again while it is moved is not lost', async () => {
    const proxy = await startFaultyProxy(t, s3Port);
    const through = moverThrough(proxy.port, 'source', 'target');
    const contentOf = async (Bucket: string, Key: string): Promise<string | undefined> =>
      (await s3.send(new GetObjectCommand({ Bucket, Key }))).Body?.transformToString();
    /** Moves `key`; the source is overwritten at the `count`th request of `method` to it. */
    const interrupted = async (key: string, method: string, count: number): Promise<unknown> => {
      await putObject(s3, 'source', key, { Body: 'first' });
      let seen = 0;
      proxy.fault = async (found, url) => {
        const isIt = found === method && url.startsWith(`/source/${key}`);
        if (isIt && ++seen === count) await putObject(s3, 'source', key, { Body: 'second' });
        return undefined;
      };
      return through.move(key).catch((err: unknown) => err);
    };
    // After the copy, before the look whether it is still the same: the outdated copy is taken back.
    assert.match(String(await interrupted('early', 'HEAD', 2)), /was written again while it was moved/);
    assert.equal(await contentOf('source', 'early'), 'second');
    assert.ok(!(await isThere('target', 'early')));
    // After that look: the server compares once more.
    assert.match(String(await interrupted('late', 'DELETE', 1)), /was written again while it was moved/);
    assert.equal(await contentOf('source', 'late'), 'second');
    assert.ok(!(await isThere('target', 'late')));
    // Then the next attempt moves it as it is now.
    await move('late');
    assert.equal(await contentOf('target', 'late'), 'second');
  });
});
