import assert from 'node:assert/strict';
import test from 'node:test';
import { DeleteObjectCommand } from '@aws-sdk/client-s3';
import { temporaryFolder } from '@zenko-modules/common/testing/temporary-folder';
import { filterAndProcess } from '../../testing/filter-and-process.js';
import { putObject, startStack } from '../../testing/stack.js';
import { bodiesOf, createVersionedBucket, dropNewest, tagsOfVersions } from '../../testing/versions.js';
import { validateHelloWorldConfig } from './config.js';
import { HelloWorldPopulator } from './populator.js';
import { HelloWorldProcessor } from './processor.js';

/** helloWorld tags the objects of this key; each case has a bucket of its own. */
const Key = 'HelloWorld';

test('versions are tagged', async t => {
  const { metadata, s3, s3Port } = await startStack(t, await temporaryFolder(t));
  for (const bucket of ['written', 'lost', 'full', 'replaced']) await createVersionedBucket(s3, bucket);
  const run = filterAndProcess({
    metadata,
    s3Port,
    config: validateHelloWorldConfig({}, {}),
    Populator: HelloWorldPopulator,
    Processor: HelloWorldProcessor,
  });
  const put = (bucket: string, tags: Readonly<Record<string, string>> = {}): Promise<void> =>
    putObject(s3, bucket, Key, { Tagging: new URLSearchParams(tags).toString() });
  const tags = (bucket: string): Promise<Record<string, string>[]> => tagsOfVersions(s3, bucket, Key);

  await t.test('each that was written, once', async () => {
    await put('written', { own: 'tag' });
    await put('written');
    assert.deepEqual(await run(), ['processed', 'processed']);
    assert.deepEqual(await tags('written'), [{ hello: 'world' }, { own: 'tag', hello: 'world' }]);
    await put('written', { hello: 'there' });
    assert.deepEqual(await run(), ['processed']);
    assert.deepEqual((await tags('written'))[0], { hello: 'world' });
  });

  await t.test('one that is gone is done, a delete marker is nothing to tag', async () => {
    await put('lost');
    await dropNewest(s3, 'lost', Key);
    await s3.send(new DeleteObjectCommand({ Bucket: 'lost', Key }));
    assert.deepEqual(await bodiesOf(s3, 'lost', Key), [undefined]);
    assert.deepEqual(await run(), ['gone']);
  });

  await t.test('one with ten tags is refused for good and keeps them, unless one gives way', async () => {
    const ten = Object.fromEntries(Array.from({ length: 10 }, (_, i) => [`t${i}`, 'x']));
    await put('full', ten);
    assert.deepEqual(await run(), ['permanent']);
    assert.deepEqual(await tags('full'), [ten]);
    const { t9, ...nine } = ten;
    assert.equal(t9, 'x');
    await put('replaced', { ...nine, hello: 'there' });
    assert.deepEqual(await run(), ['processed']);
    assert.deepEqual(await tags('replaced'), [{ ...nine, hello: 'world' }]);
  });
});
