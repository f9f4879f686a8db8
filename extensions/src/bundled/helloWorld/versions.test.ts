import assert from 'node:assert/strict';
import test from 'node:test';
import { silentLogger } from '@zenko-modules/common/logger';
import { runFilter } from '../../framework/contract/queue-populator-extension.js';
import { failureKind } from '../../framework/processor/failures.js';
import { testS3Client } from '../../testing/moving.js';
import { VersionedS3 } from '../../testing/versioned-s3.js';
import { validateHelloWorldConfig } from './config.js';
import { HelloWorldPopulator } from './populator.js';
import { HelloWorldProcessor } from './processor.js';

interface Setup {
  readonly s3: VersionedS3;
  /** Has the whole log filtered and processed, as it grows; how each message ended. */
  readonly run: () => Promise<string[]>;
}

async function setUp(t: test.TestContext): Promise<Setup> {
  const s3 = new VersionedS3();
  const port = await s3.start(t);
  const config = validateHelloWorldConfig({}, {});
  const logger = silentLogger();
  const populator = new HelloWorldPopulator({ config, logger });
  const processor = new HelloWorldProcessor({
    config,
    backbeatConfig: {} as never,
    logger,
    createS3Client: overrides => testS3Client(port, overrides),
    publish: () => Promise.resolve(),
  });
  let next = 0;
  const run = async (): Promise<string[]> => {
    const outcomes: string[] = [];
    for (; next < s3.log.length; next++) {
      const entry = s3.log[next];
      for (const { key, value } of entry ? await runFilter(populator, entry) : []) {
        const message = { topic: 't', partition: 0, offset: '0', timestamp: 0, headers: {}, key, value };
        const done = processor.processEntry(message, AbortSignal.timeout(30_000));
        outcomes.push(await done.then(() => 'processed', failureKind));
        assert.ok(outcomes.length < 20, 'it feeds on itself');
      }
    }
    return outcomes;
  };
  return { s3, run };
}

test('each version that was written is tagged, once', async t => {
  const { s3, run } = await setUp(t);
  const first = s3.put('photos', 'HelloWorld', 'first', { tags: { own: 'tag' } });
  const second = s3.put('photos', 'HelloWorld', 'second');
  assert.deepEqual(await run(), ['processed', 'processed']);
  assert.deepEqual(first.tags, { own: 'tag', hello: 'world' });
  assert.deepEqual(second.tags, { hello: 'world' });
  const third = s3.put('photos', 'HelloWorld', 'third', { tags: { hello: 'there' } });
  assert.deepEqual(await run(), ['processed']);
  assert.deepEqual(third.tags, { hello: 'world' });
});

test('a version that is gone is done, a delete marker is nothing to tag', async t => {
  const { s3, run } = await setUp(t);
  s3.put('photos', 'helloworld', 'lost');
  s3.buckets.get('photos')?.set('helloworld', []);
  s3.put('photos', 'helloworld', '', { isMarker: true });
  assert.deepEqual(await run(), ['gone']);
});

test('a version with ten tags is refused for good and keeps them, unless one of them gives way', async t => {
  const { s3, run } = await setUp(t);
  const ten = Object.fromEntries(Array.from({ length: 10 }, (_, i) => [`t${i}`, 'x']));
  const full = s3.put('photos', 'helloworld', 'full', { tags: ten });
  assert.deepEqual(await run(), ['permanent']);
  assert.deepEqual(full.tags, ten);
  const { t9, ...nine } = ten;
  assert.equal(t9, 'x');
  const replaced = s3.put('photos', 'helloworld', 'has one', { tags: { ...nine, hello: 'there' } });
  assert.deepEqual(await run(), ['processed']);
  assert.deepEqual(replaced.tags, { ...nine, hello: 'world' });
});
