import assert from 'node:assert/strict';
import test from 'node:test';
import { silentLogger } from '@zenko-modules/common/logger';
import { encodeVersionId } from '../../framework/contract/object-event.js';
import { type LogEntry, runFilter } from '../../framework/contract/queue-populator-extension.js';
import { validateHelloWorldConfig } from './config.js';
import { HelloWorldPopulator } from './populator.js';

const config = validateHelloWorldConfig({}, {});
const populator = new HelloWorldPopulator({ config, logger: silentLogger() });
const V = '98204703444340999999RG001  1';
const filter = (entry: Partial<LogEntry>) =>
  runFilter(populator, { type: 'put', bucket: 'b', key: 'helloworld', value: '{}', timestamp: '', ...entry });

const published: [string, Partial<LogEntry>][] = [
  ['the key', {}],
  ['the key in any case', { key: 'HelloWORLD' }],
  ['other tags', { value: '{"tags":{"hello":"there","a":"b"}}' }],
  ['a version', { key: `helloworld\0${V}`, value: JSON.stringify({ versionId: V }) }],
  ['new content', { value: '{"originOp":"s3:ObjectCreated:CompleteMultipartUpload"}' }],
];
const ignored: [string, Partial<LogEntry>][] = [
  ['another key', { key: 'helloworld.txt' }],
  ['a key in a folder', { key: 'a/helloworld' }],
  ['a deletion', { type: 'del', value: undefined }],
  ['its own tag', { value: '{"tags":{"hello":"world"},"originOp":"s3:ObjectTagging:Put"}' }],
  ['an object that was put with the tag', { value: '{"tags":{"hello":"world","a":"b"}}' }],
  ['the master of a version', { value: JSON.stringify({ versionId: V }) }],
  ['a delete marker', { value: '{"isDeleteMarker":true}' }],
  ['a place holder', { value: '{"isPHD":true}' }],
  ['the list of buckets', { bucket: 'users..bucket' }],
  ['bucket attributes', { bucket: '__metastore' }],
  ['an upload in progress', { bucket: 'mpuShadowBucketb' }],
  ['another key with a value that is no JSON', { key: 'x', value: 'no json' }],
];

for (const [title, entry] of published) {
  test(`helloWorld publishes ${title}`, async () => {
    const [message, ...others] = await filter(entry);
    assert.deepEqual(others, []);
    assert.equal(message?.topic, 'backbeat-hello-world');
    const objectKey = (entry.key ?? 'helloworld').split('\0')[0] ?? '';
    assert.equal(message.key, encodeURIComponent(`b/${objectKey}`));
    assert.equal((JSON.parse(message.value) as LogEntry).key, entry.key ?? 'helloworld');
  });
}
for (const [title, entry] of ignored) {
  test(`helloWorld ignores ${title}`, async () => assert.deepEqual(await filter(entry), []));
}

test('helloWorld throws for its key with a value that is no JSON, so that it is counted', async () => {
  await assert.rejects(filter({ value: 'no json' }), { name: 'PermanentError' });
});

test('a wrong section is refused by field', () => {
  assert.throws(() => validateHelloWorldConfig({}, { topic: 'a b' }), /topic: expected 1 to 200 letters/);
  assert.throws(() => validateHelloWorldConfig({}, { topik: 'a' }), /"topik"/);
  assert.throws(() => validateHelloWorldConfig({}, { s3: { port: 'x' } }), /s3\.port/);
  assert.throws(() => validateHelloWorldConfig({}, { auth: { type: 'none', account: 'a' } }), /auth\.type/);
});

test('version ids are written as S3 takes them', () => {
  assert.equal(encodeVersionId('9RG001  1'), '395247303031202031');
});
