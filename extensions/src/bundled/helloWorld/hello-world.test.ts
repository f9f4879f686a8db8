import assert from 'node:assert/strict';
import test from 'node:test';
import { DeleteObjectCommand, PutObjectTaggingCommand } from '@aws-sdk/client-s3';
import { sleep } from '@zenko-modules/common/deadline';
import { runToExit } from '@zenko-modules/common/testing/daemon-process';
import { seededRandom } from '@zenko-modules/common/testing/random';
import { temporaryFolder } from '@zenko-modules/common/testing/temporary-folder';
import { encodeVersionId } from '../../framework/contract/object-event.js';
import { startFaultyProxy } from '../../testing/faulty-proxy.js';
import { metric, readiness } from '../../testing/probe.js';
import { eventually } from '../../testing/eventually.js';
import {
  createBucket,
  putEntry,
  putObject,
  startPopulator,
  startProcessor,
  startStack,
  tagsOf,
} from '../../testing/stack.js';
import { fileURLToPath } from 'node:url';

const REDRIVE_MAIN = fileURLToPath(new URL('../../commands/redrive-main.js', import.meta.url));
const FAST = { PROCESSOR_RETRY_MIN_MS: '20', PROCESSOR_RETRY_MAX_MS: '200' };

/** Spellings of "helloworld" that are keys of their own. */
function spelling(number: number): string {
  return Array.from('helloworld')
    .map((letter, bit) => ((number >> bit) & 1 ? letter.toUpperCase() : letter))
    .join('');
}

test('helloWorld, from put to tag', async t => {
  const data = await temporaryFolder(t);
  const { s3, metadata, s3Port, killFront, startFront } = await startStack(t, data);
  await createBucket(s3, 'photos');
  const populator = await startPopulator(t, data, metadata.port);
  const env = { S3_PORT: String(s3Port), ...FAST };
  let processor = await startProcessor(t, data, 'helloWorld', env);
  const port = (): number | undefined => processor.ports.PROCESSOR_PROBE_PORT;
  const isTagged = async (key: string): Promise<boolean> =>
    (await tagsOf(s3, 'photos', key)).hello === 'world';

  await t.test('it tags within 5 s, beside the tags of the user', async () => {
    const start = performance.now();
    await putObject(s3, 'photos', 'HelloWorld', { Tagging: 'user=own' });
    await putObject(s3, 'photos', 'other', { Tagging: 'user=own' });
    await eventually(() => isTagged('HelloWorld'), 'it is tagged');
    t.diagnostic(`tagged after ${(performance.now() - start).toFixed(0)} ms`);
    assert.deepEqual(await tagsOf(s3, 'photos', 'HelloWorld'), { user: 'own', hello: 'world' });
    assert.deepEqual(await tagsOf(s3, 'photos', 'other'), { user: 'own' });
  });

  await t.test('it does not feed on itself, and a restart does not tag again', async () => {
    await sleep(600);
    assert.equal(await metric(populator.ports.POPULATOR_PROBE_PORT, 'populator_published_total'), 1);
    await eventually(
      async () => (await metric(port(), 'processor_messages_total', 'processed')) === 1,
      'it is counted',
    );
    assert.deepEqual(await processor.kill(), { code: 0, signal: null });
    processor = await startProcessor(t, data, 'helloWorld', env);
    await sleep(600);
    assert.equal(await metric(port(), 'processor_messages_total'), 0);
  });

  await t.test('tags that the user sets later are kept, and one of the same name gives way', async () => {
    const Tagging = {
      TagSet: [
        { Key: 'hello', Value: 'there' },
        { Key: 'a', Value: 'b' },
      ],
    };
    await s3.send(new PutObjectTaggingCommand({ Bucket: 'photos', Key: 'HelloWorld', Tagging }));
    await eventually(() => isTagged('HelloWorld'), 'it is tagged again');
    assert.deepEqual(await tagsOf(s3, 'photos', 'HelloWorld'), { a: 'b', hello: 'world' });
  });

  await t.test(
    'an object with ten tags is parked and left alone, and re-driven when there is room',
    async () => {
      const ten = Array.from({ length: 10 }, (_, i) => `t${i}=x`);
      await putObject(s3, 'photos', 'HELLOWORLD', { Tagging: ten.join('&') });
      await eventually(
        async () => (await metric(port(), 'processor_messages_total', 'parked')) === 1,
        'it is parked',
      );
      assert.equal(Object.keys(await tagsOf(s3, 'photos', 'HELLOWORLD')).length, 10);
      await processor.printed(/has 10 tags, and S3 allows no more than 10/);
      // Not by S3, whose change would be an event of its own.
      await putEntry(metadata, 'photos', 'HELLOWORLD', { 'owner-id': 'x', tags: { hello: 'world' } });
      const result = await runToExit(t, {
        entry: REDRIVE_MAIN,
        args: ['helloWorld'],
        env: { DATA_DIR: data },
      });
      assert.equal(result.code, 0, result.output);
      assert.match(
        result.output,
        /^1 message of backbeat-hello-world-failed put back into backbeat-hello-world$/m,
      );
      await eventually(
        async () => (await metric(port(), 'processor_messages_total', 'processed')) >= 2,
        'it is done',
      );
    },
  );

  await t.test('an object that is gone meanwhile is done', async () => {
    await processor.kill();
    await putObject(s3, 'photos', 'helloworld');
    await sleep(500);
    await s3.send(new DeleteObjectCommand({ Bucket: 'photos', Key: 'helloworld' }));
    processor = await startProcessor(t, data, 'helloWorld', env);
    await eventually(
      async () => (await metric(port(), 'processor_messages_total', 'gone')) === 1,
      'it is done',
    );
  });

  await t.test('while S3 is away it waits, says so, and goes on by itself', async () => {
    await putObject(s3, 'photos', spelling(1));
    await eventually(() => isTagged(spelling(1)), 'it is tagged');
    await putEntry(metadata, 'photos', spelling(2), { 'owner-id': 'x' });
    await eventually(
      async () => (await metric(port(), 'processor_messages_total', 'processed')) >= 2,
      'both are done',
    );
    await killFront('SIGKILL');
    await putEntry(metadata, 'photos', spelling(3), { 'owner-id': 'x' });
    await eventually(async () => (await readiness(port())).status === 503, 'it says that it is not ready');
    assert.match((await readiness(port())).reason, /S3: .*ECONNREFUSED/);
    await eventually(
      async () => (await metric(port(), 'processor_failed_attempts_total', 'unavailable')) > 8,
      'it has tried more often than a message is tried',
    );
    await startFront();
    await eventually(() => isTagged(spelling(3)), 'it is tagged');
    await eventually(async () => (await readiness(port())).status === 200, 'it is ready again');
    assert.equal(await metric(port(), 'processor_messages_total', 'parked'), 0);
  });

  await t.test('throttled, refused and cut off are told apart', async () => {
    await processor.kill();
    const proxy = await startFaultyProxy(t, s3Port);
    processor = await startProcessor(t, data, 'helloWorld', { ...env, S3_PORT: String(proxy.port) });
    let left = 8;
    proxy.fault = () => (left-- > 0 ? { status: 503, code: 'SlowDown' } : undefined);
    await putObject(s3, 'photos', spelling(4));
    await eventually(() => isTagged(spelling(4)), 'the throttled one is tagged');
    assert.equal(await metric(port(), 'processor_failed_attempts_total', 'throttled'), 8);

    left = 8;
    proxy.fault = () => (left-- > 0 ? 'cut' : undefined);
    await putObject(s3, 'photos', spelling(5));
    await eventually(() => isTagged(spelling(5)), 'the one that was cut off is tagged');

    const before = proxy.requests.length;
    proxy.fault = (_method, url) =>
      url.includes(spelling(6)) ? { status: 403, code: 'AccessDenied' } : undefined;
    await putObject(s3, 'photos', spelling(6));
    await eventually(
      async () => (await metric(port(), 'processor_messages_total', 'parked')) === 1,
      'it is parked',
    );
    assert.equal(proxy.requests.length, before + 1, 'there was one attempt');
  });

  await t.test('a lone message to which S3 always answers 500 is parked, and it stays ready', async () => {
    await processor.kill();
    const proxy = await startFaultyProxy(t, s3Port);
    processor = await startProcessor(t, data, 'helloWorld', { ...env, S3_PORT: String(proxy.port) });
    proxy.fault = (_method, url) =>
      url.includes(spelling(8)) ? { status: 500, code: 'InternalError' } : undefined;
    await putObject(s3, 'photos', spelling(8));
    const reasons = new Set<string>();
    await eventually(async () => {
      reasons.add((await readiness(port())).reason);
      return (await metric(port(), 'processor_messages_total', 'parked')) === 1;
    }, 'it is parked');
    assert.deepEqual([...reasons], ['']);
    assert.equal(await metric(port(), 'processor_failed_attempts_total', 'unavailable'), 5);
  });

  await t.test('in a bucket with versions it asks for the version that was written', async () => {
    await processor.kill();
    const proxy = await startFaultyProxy(t, s3Port);
    processor = await startProcessor(t, data, 'helloWorld', { ...env, S3_PORT: String(proxy.port) });
    // Stands for the answer of a server that knows the version; s3-front does not serve versions by id.
    proxy.fault = () => ({ status: 404, code: 'NoSuchVersion' });
    const answer = await metadata.rpc.call('put', {
      rpcArgs: ['helloworld', '{"owner-id":"x"}', { versioning: true }],
      subLevel: ['photos'],
    });
    const { versionId } = JSON.parse(String(answer)) as { versionId: string };
    await eventually(
      async () => (await metric(port(), 'processor_messages_total', 'gone')) === 1,
      'it is done',
    );
    const asked = proxy.requests.map(line => new URL(line.split(' ')[1] ?? '', 'http://s3').searchParams);
    assert.deepEqual(
      asked.map(query => query.get('versionId')),
      [encodeVersionId(versionId)],
    );
  });

  await t.test('with wrong credentials it waits, and says so', async () => {
    await processor.kill();
    processor = await startProcessor(t, data, 'helloWorld', { ...env, S3_SECRET_KEY: 'wrong' });
    await putObject(s3, 'photos', spelling(7));
    await eventually(async () => (await readiness(port())).status === 503, 'it says that it is not ready');
    assert.equal(await metric(port(), 'processor_messages_total', 'parked'), 0);
    await processor.kill();
    processor = await startProcessor(t, data, 'helloWorld', env);
    await eventually(() => isTagged(spelling(7)), 'it is tagged');
  });

  await t.test('processors that are killed again and again tag every object', async () => {
    await processor.kill();
    const random = seededRandom(t);
    const keys = Array.from({ length: 400 }, (_, i) => spelling(100 + i));
    await Promise.all(keys.map(key => putEntry(metadata, 'photos', key, { 'owner-id': 'x' })));
    for (let kills = 0; kills < 5; kills++) {
      processor = await startProcessor(t, data, 'helloWorld', env);
      await sleep(random.integer(0, 200));
      await processor.kill('SIGKILL');
    }
    processor = await startProcessor(t, data, 'helloWorld', env);
    for (const key of keys) await eventually(() => isTagged(key), `${key} is tagged`);
  });
});
