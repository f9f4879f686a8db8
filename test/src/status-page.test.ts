/** What the status pages of all parts show of a deployment at work, and what they do not. */
import assert from 'node:assert/strict';
import test from 'node:test';
import { CreateBucketCommand, PutObjectCommand } from '@aws-sdk/client-s3';
import { sleep } from '@zenko-modules/common/deadline';
import { temporaryFolder } from '@zenko-modules/common/testing/temporary-folder';
import { DATA_CHARTS } from '@zenko-modules/data-module/data-status';
import { POPULATOR_CHARTS, PROCESSOR_CHARTS } from '@zenko-modules/extensions/framework/extension-status';
import { METADATA_CHARTS } from '@zenko-modules/metadata-module/metadata-status';
import { FRONT_CHARTS } from '@zenko-modules/s3-front/front-status';
import { startAll } from './support/everything.js';
import { metrics } from './support/reference-page.js';
import { s3Client } from './support/s3-client.js';

const SECRETS = {
  S3_SECRET_KEY: 'verySecretKey1',
  MEMCACHED_PASSWORD: 'memcached-pass-4711',
  MONGODB_URL: 'mongodb://operator:mongo-pass-4711@db:27017',
};

test('the pages and the first lines of all parts tell what they do, and no secret, and a request is followed by its id', async t => {
  const env = { ...SECRETS, DATA_WORKERS: '2', LOG_LEVEL: 'debug' };
  const everything = await startAll(t, await temporaryFolder(t), env);
  const s3 = s3Client(t, everything);
  await s3.send(new CreateBucketCommand({ Bucket: 'greetings' }));
  const put = await s3.send(new PutObjectCommand({ Bucket: 'greetings', Key: 'HelloWorld', Body: 'Hi!' }));
  const pageOf = async (part: string): Promise<string> => {
    const answer = await fetch(`http://127.0.0.1:${everything.ports[`${part}_PROBE_PORT`] ?? 0}/_/status`);
    assert.equal(answer.status, 200, part);
    const page = await answer.text();
    for (const [name, value] of Object.entries(SECRETS)) assert.ok(!page.includes(value), `${part}: ${name}`);
    assert.doesNotMatch(page, /operator|accessKey1/);
    return page
      .replaceAll(/<(style|script)>[^]*?<\/\1>/g, '')
      .replaceAll(/<[^>]*>/g, ' ')
      .replaceAll(/\s+/g, ' ');
  };
  const tagged = / UTC greetings HelloWorld tagged hello=world /;
  for (let tries = 0; tries < 200 && !tagged.test(await pageOf('PROCESSOR')); tries += 1) await sleep(50);
  assert.match(await pageOf('PROCESSOR'), tagged);
  assert.match(
    await pageOf('PROCESSOR'),
    /processor helloWorld: ready [^]* Topics [^]* backbeat-hello-world helloWorld-group \d+ /,
  );
  assert.match(await pageOf('DATA'), /data-module: ready [^]* disk 2 268 MB /);
  assert.match(
    await pageOf('METADATA'),
    /metadata-module: ready [^]* leveldown 1 \d+ \d+ [^]* populator \d+ \d+ /,
  );
  assert.match(await pageOf('POPULATOR'), /populator: ready, working [^]* helloWorld \d+ s \d+ /);
  const lines = everything
    .output()
    .split('\n')
    .filter(line => line.includes('"msg":"listening"'))
    .map(line => JSON.parse(line) as Record<string, unknown>);
  const { requestId } = put.$metadata;
  assert.match(requestId ?? '', /^[0-9a-f]{20}$/);
  await everything.waitForOutput(/a message is done: processed/);
  const ofRequest = everything
    .output()
    .split('\n')
    .filter(line => line.includes(`"reqUids":"${requestId ?? ''}"`))
    .map(line => JSON.parse(line) as Record<string, string>)
    .map(({ name, msg }) => `${name ?? ''}: ${msg ?? ''}`);
  for (const line of [
    's3-front: request done',
    'data-module: request done',
    'metadata-module: call done',
    'populator: to be published',
    'processor-helloWorld: tagged',
    'processor-helloWorld: a message is done: processed',
  ])
    assert.ok(ofRequest.includes(line), `${line}\n${ofRequest.join('\n')}`);
  const told = (name: string): Record<string, unknown> => lines.find(line => line.name === name) ?? {};
  assert.equal(lines.length, 5);
  assert.equal(told('data-module').store, 'disk');
  assert.equal(told('data-module').memoryBytes, 268_435_456);
  assert.match(String(told('metadata-module').folder), /metadata$/);
  assert.match(String(told('populator').queue), /extensions\/queue$/);
  assert.equal(told('processor-helloWorld').topic, 'backbeat-hello-world');
  assert.equal(told('s3-front').maxObjectBytes, 5_368_709_120);
  for (const [name, value] of Object.entries(SECRETS))
    if (name !== 'S3_SECRET_KEY') assert.ok(!everything.output().includes(value), name);
  assert.match(await pageOf('S3'), /s3-front: ready [^]* Requests of S3 /);
});

test('every chart is of a metric that a part has', async () => {
  const types = new Map((await metrics()).map(({ name, type }) => [name, type]));
  const charts = [DATA_CHARTS, METADATA_CHARTS, POPULATOR_CHARTS, PROCESSOR_CHARTS, FRONT_CHARTS].flat();
  assert.ok(charts.length > 10);
  for (const { title, series } of charts) {
    for (const { reading } of series) {
      const type = types.get(reading.metric);
      assert.ok(type !== undefined, `${title}: there is no ${reading.metric}`);
      assert.equal(
        type === 'histogram',
        reading.kind === 'quantile',
        `${title}: ${reading.metric} is a ${type}`,
      );
    }
  }
});
