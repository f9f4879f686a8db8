import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import test, { type TestContext } from 'node:test';
import { DataUnderTest } from '../testing/data-under-test.js';
import { MetadataUnderTest } from '../testing/metadata-under-test.js';
import { type Environment, eventsOf, runTool } from '../testing/run-tool.js';

const md5 = (text: string): string => createHash('md5').update(text).digest('hex');

interface Both {
  readonly metadata: MetadataUnderTest;
  readonly data: DataUnderTest;
  readonly env: Environment;
}

async function start(t: TestContext): Promise<Both> {
  const [metadata, data] = await Promise.all([MetadataUnderTest.start(t), DataUnderTest.start(t)]);
  return { metadata, data, env: { ...metadata.env, ...data.env } };
}

const found = (stdout: string): unknown[] =>
  eventsOf(stdout, 'finding').map(
    ({ database, key, text }) => `${String(database)}/${String(key)}: ${String(text)}`,
  );

test('sound blobs of one part, of several, of copied parts and of uploads, each read once', async t => {
  const { metadata, data, env } = await start(t);
  const [a, b, c, d] = await Promise.all(['aaa', 'bbb', 'ccc', 'ddd'].map(text => data.put(text)));
  await metadata.put(
    'b',
    'one',
    { location: [{ key: a, size: 3 }], 'content-md5': md5('aaa') },
    { versioning: true },
  );
  const parts = [
    { key: b, size: 3, dataStoreETag: `1:${md5('bbb')}` },
    { key: c, size: 3, dataStoreETag: `2:${md5('cccddd')}` },
    { key: d, size: 3, dataStoreETag: `2:${md5('cccddd')}` },
  ];
  await metadata.put('b', 'parts', { location: parts, 'content-md5': 'x-2' });
  await metadata.put('mpuShadowBucketb', 'id..|..1', {
    partLocations: [{ key: b, dataStoreName: 'file' }],
    'content-md5': md5('bbb'),
  });
  await metadata.put('b', 'marker', { isDeleteMarker: true, location: null });
  const { code, stdout, stderr } = await runTool(t, ['scrub', '--rate', '100'], env);
  assert.equal(code, 0, stdout + stderr);
  assert.equal(stdout, '5 blobs, 15 bytes, were read: sound\n');
});

test('a turned bit, a wrong size and a missing blob are found; what cannot be compared is said', async t => {
  const { metadata, data, env } = await start(t);
  const [flipped, short, lost, secret] = await Promise.all(
    ['one', 'two', 'three', 'four'].map(text => data.put(text)),
  );
  await metadata.put('b', 'flipped', {
    location: [{ key: flipped, size: 3, dataStoreETag: `1:${md5('one')}` }],
  });
  await metadata.put('b', 'short', { location: [{ key: short, size: 4, dataStoreETag: `1:${md5('two')}` }] });
  await metadata.put('b', 'lost', { location: [{ key: lost, size: 5, dataStoreETag: `1:${md5('three')}` }] });
  await metadata.put('b', 'secret', {
    location: [{ key: secret, size: 4, cryptoScheme: 1, dataStoreETag: `1:${md5('plain')}` }],
  });
  await data.flipBit(flipped ?? '');
  await data.lose(lost ?? '');
  const { code, stdout } = await runTool(t, ['scrub', '--json'], env);
  assert.equal(code, 1);
  assert.deepEqual(found(stdout).sort(), [
    `b/flipped: the bytes of ${String(flipped)} are not those that were stored`,
    `b/lost: its blob ${String(lost)} is missing`,
    `b/short: its blob ${String(short)} has 3 bytes, not 4`,
  ]);
  assert.equal(eventsOf(stdout, 'summary')[0]?.notCompared, 1);
});

test('a rate that is none, or a module that is away, ends it with 2', async t => {
  const { env } = await start(t);
  assert.equal((await runTool(t, ['scrub', '--rate', '0'], env)).code, 2);
  assert.equal((await runTool(t, ['scrub'], { ...env, DATA_PORT: '1' })).code, 2);
});
