import assert from 'node:assert/strict';
import test from 'node:test';
import { GetObjectCommand, ListObjectsV2Command, type S3Client } from '@aws-sdk/client-s3';
import { sleep } from '@zenko-modules/common/deadline';
import { RpcStream } from '@zenko-modules/rpc/client';
import { seededRandom } from '@zenko-modules/common/testing/random';
import { temporaryFolder } from '@zenko-modules/common/testing/temporary-folder';
import { startFaultyProxy } from '../../testing/faulty-proxy.js';
import { flac, mp3 } from '../../testing/music-files.js';
import { metric, readiness } from '../../testing/probe.js';
import { eventually } from '../../testing/eventually.js';
import {
  createBucket,
  putObject,
  startPopulator,
  startProcessor,
  startStack,
  tagsOf,
} from '../../testing/stack.js';

const CONFIG = JSON.stringify({
  extensions: {
    sortByType: {
      buckets: ['incoming'],
      targets: { jpeg: 'jpegs', 'application/zip': 'zips', text: 'texts', missing: 'no-such-bucket' },
    },
    sortMusic: {
      buckets: ['tunes'],
      fromPrefix: 'in/',
      bucket: 'tunes',
      prefix: 'by/{artist}/',
      maxReadBytes: 262_144,
    },
  },
});
const JPEG = Buffer.concat([
  Buffer.from([0xff, 0xd8, 0xff, 0xe0, 0, 16]),
  Buffer.from('JFIF\0'),
  Buffer.alloc(100),
]);

async function keysOf(s3: S3Client, Bucket: string): Promise<string[]> {
  const { Contents = [] } = await s3.send(new ListObjectsV2Command({ Bucket }));
  return Contents.map(({ Key = '' }) => Key);
}

test('sorting', async t => {
  const data = await temporaryFolder(t);
  const { s3, metadata, s3Port } = await startStack(t, data);
  for (const bucket of ['incoming', 'jpegs', 'zips', 'texts', 'tunes', 'target'])
    await createBucket(s3, bucket);
  const env = { BACKBEAT_CONFIG: CONFIG, S3_PORT: String(s3Port), PROCESSOR_RETRY_MIN_MS: '20' };
  const populator = await startPopulator(t, data, metadata.port, env);
  const isThere = async (bucket: string, key: string): Promise<boolean> =>
    (await keysOf(s3, bucket)).includes(key);

  await t.test('by type: what the client said, else what the first bytes show; the rest stays', async () => {
    const processor = await startProcessor(t, data, 'sortByType', env);
    const typed = { ContentType: 'application/zip', Metadata: { made: 'by me' }, Tagging: 'a=b' };
    await putObject(s3, 'incoming', 'folder/a b+ü', { ...typed, Body: 'not really a zip' });
    await putObject(s3, 'incoming', 'photo', { Body: JPEG });
    await putObject(s3, 'incoming', 'letter', { Body: 'Dear reader' });
    await putObject(s3, 'incoming', 'secret', { Body: Buffer.from([1, 2, 3]) });
    await putObject(s3, 'incoming', 'lost', { ContentType: 'application/missing' });
    await eventually(async () => (await keysOf(s3, 'incoming')).length === 2, 'three were moved');
    assert.deepEqual(await keysOf(s3, 'incoming'), ['lost', 'secret']);
    assert.deepEqual(await keysOf(s3, 'zips'), ['folder/a b+ü']);
    assert.deepEqual(await keysOf(s3, 'jpegs'), ['photo']);
    assert.deepEqual(await keysOf(s3, 'texts'), ['letter']);
    const moved = { Bucket: 'zips', Key: 'folder/a b+ü' };
    const { Body, Metadata, ContentType } = await s3.send(new GetObjectCommand(moved));
    assert.equal(await Body?.transformToString(), 'not really a zip');
    assert.deepEqual(Metadata, { made: 'by me' });
    assert.equal(ContentType, 'application/zip');
    assert.deepEqual(await tagsOf(s3, 'zips', 'folder/a b+ü'), { a: 'b' });
    const { PROCESSOR_PROBE_PORT: port } = processor.ports;
    await eventually(
      async () => (await metric(port, 'processor_messages_total', 'parked')) === 1,
      'one is parked',
    );
    await processor.printed(/there is no bucket no-such-bucket to move to/);
    // Nothing that was moved comes by again.
    const before = await metric(
      populator.ports.POPULATOR_PROBE_PORT,
      'populator_published_total',
      'sortByType',
    );
    await sleep(600);
    const after = await metric(
      populator.ports.POPULATOR_PROBE_PORT,
      'populator_published_total',
      'sortByType',
    );
    assert.equal(after, before);
    assert.equal(after, 5);
    await processor.kill();
  });

  await t.test('killed again and again, each object is in one place in the end', async () => {
    const random = seededRandom(t);
    const keys = Array.from({ length: 60 }, (_, i) => `text-${String(i).padStart(3, '0')}`);
    for (const key of keys)
      await putObject(s3, 'incoming', key, { Body: `text of ${key}`, ContentType: 'text/plain' });
    for (let kills = 0; kills < 4; kills++) {
      const processor = await startProcessor(t, data, 'sortByType', env);
      await sleep(random.integer(0, 150));
      await processor.kill('SIGKILL');
      const [left, moved] = [await keysOf(s3, 'incoming'), await keysOf(s3, 'texts')];
      for (const key of keys) assert.ok(left.includes(key) || moved.includes(key), `${key} is somewhere`);
    }
    const processor = await startProcessor(t, data, 'sortByType', env);
    await eventually(
      async () => !(await keysOf(s3, 'incoming')).some(key => key.startsWith('text-')),
      'all are moved',
    );
    assert.deepEqual(
      (await keysOf(s3, 'texts')).filter(key => key.startsWith('text-')),
      keys,
    );
    await processor.kill();
  });

  await t.test('by owner: into the bucket of the one who put it', async () => {
    const [owner] =
      (await s3.send(new ListObjectsV2Command({ Bucket: 'jpegs', FetchOwner: true }))).Contents ?? [];
    const id = owner?.Owner?.ID ?? '';
    assert.notEqual(id, '');
    const byOwner = {
      EXTENSIONS_SORTBYTYPE_BY: 'owner',
      EXTENSIONS_SORTBYTYPE_TARGETS: JSON.stringify({ [id]: 'target' }),
    };
    const processor = await startProcessor(t, data, 'sortByType', { ...env, ...byOwner });
    await putObject(s3, 'incoming', 'mine');
    await eventually(() => isThere('target', 'mine'), 'it is moved');
    await eventually(async () => !(await isThere('incoming', 'mine')), 'it is gone');
    await processor.kill();
  });

  await t.test('music: by artist, reading no more of a file than its tags need', async () => {
    const proxy = await startFaultyProxy(t, s3Port);
    const processor = await startProcessor(t, data, 'sortMusic', {
      ...env,
      S3_PORT: String(proxy.port),
      LOG_LEVEL: 'debug',
    });
    await putObject(s3, 'tunes', 'in/long.flac', { Body: flac({ artist: 'Nina Simone', sound: 5_000_000 }) });
    await putObject(s3, 'tunes', 'in/song.mp3', { Body: mp3({ artist: 'Björk' }) });
    await putObject(s3, 'tunes', 'in/nameless.mp3', { Body: mp3({}) });
    await putObject(s3, 'tunes', 'in/broken.mp3', { Body: 'this is no music at all' });
    await putObject(s3, 'tunes', 'in/notes.txt', { Body: 'text', ContentType: 'text/plain' });
    await putObject(s3, 'tunes', 'elsewhere.mp3', { Body: mp3({ artist: 'Nobody' }) });
    const expected = [
      'by/Björk/song.mp3',
      'by/Nina Simone/long.flac',
      'elsewhere.mp3',
      'in/broken.mp3',
      'in/nameless.mp3',
      'in/notes.txt',
    ];
    await eventually(async () => (await keysOf(s3, 'tunes')).join() === expected.join(), 'all is sorted');
    const { PROCESSOR_PROBE_PORT: port } = processor.ports;
    await eventually(async () => (await metric(port, 'processor_messages_total')) === 4, 'all is done');
    const read = /"bytesRead":(\d+),"size":5\d{6},/.exec(processor.output());
    assert.ok(Number(read?.[1]) <= 131_072, `read ${read?.[1]} bytes`);
    const [long] =
      (await s3.send(new ListObjectsV2Command({ Bucket: 'tunes', Prefix: 'by/Nina' }))).Contents ?? [];
    assert.ok((long?.Size ?? 0) > 5_000_000);
    await processor.kill();
  });

  await t.test(
    'out of a bucket with versions: a delete marker is left, and nothing comes by again',
    async () => {
      const attributes = { rpcArgs: ['incoming'], subLevel: ['__metastore'] };
      const bucket = JSON.parse(String(await metadata.rpc.call('get', attributes))) as object;
      const versioned = { ...bucket, versioningConfiguration: { Status: 'Enabled' } };
      await metadata.rpc.call('put', { ...attributes, rpcArgs: ['incoming', JSON.stringify(versioned), {}] });
      const { POPULATOR_PROBE_PORT: port } = populator.ports;
      const published = (): Promise<number> => metric(port, 'populator_published_total', 'sortByType');
      const before = await published();
      await putObject(s3, 'incoming', 'kept', { ContentType: 'text/plain', Body: 'first' });
      await putObject(s3, 'incoming', 'kept', { ContentType: 'text/plain', Body: 'second' });
      const processor = await startProcessor(t, data, 'sortByType', env);
      await eventually(() => isThere('texts', 'kept'), 'it is moved');
      await eventually(async () => !(await isThere('incoming', 'kept')), 'it is gone');
      const moved = await s3.send(new GetObjectCommand({ Bucket: 'texts', Key: 'kept' }));
      assert.equal(await moved.Body?.transformToString(), 'second');
      await eventually(
        async () => (await metric(processor.ports.PROCESSOR_PROBE_PORT, 'processor_messages_total')) >= 2,
        'both messages are done',
      );
      // The log has no more for us, whatever the moving wrote: a change that comes after it is the next one.
      await putObject(s3, 'incoming', 'last', { ContentType: 'text/plain' });
      await eventually(() => isThere('texts', 'last'), 'the last is moved');
      assert.equal((await published()) - before, 3);
      const stream = await metadata.rpc.call('createReadStream', { rpcArgs: [{}], subLevel: ['incoming'] });
      assert.ok(stream instanceof RpcStream);
      const kept: string[] = [];
      for await (const item of stream) {
        const { key, value } = item as { key: string; value: string };
        const object = JSON.parse(value) as { isDeleteMarker?: boolean };
        if (key.startsWith('kept\0')) kept.push(object.isDeleteMarker === true ? 'marker' : 'version');
      }
      assert.deepEqual(kept, ['marker', 'version', 'version']);
    },
  );
});

test('with wrong credentials a backlog waits, though HEAD cannot tell', async t => {
  const data = await temporaryFolder(t);
  const { s3, metadata, s3Port } = await startStack(t, data);
  for (const bucket of ['incoming', 'jpegs']) await createBucket(s3, bucket);
  const env = { BACKBEAT_CONFIG: CONFIG, S3_PORT: String(s3Port), PROCESSOR_RETRY_MIN_MS: '20' };
  await startPopulator(t, data, metadata.port, env);
  for (let i = 0; i < 12; i++) await putObject(s3, 'incoming', `${i}.jpg`, { ContentType: 'image/jpeg' });
  const wrong = await startProcessor(t, data, 'sortByType', { ...env, S3_SECRET_KEY: 'mistyped' });
  const port = wrong.ports.PROCESSOR_PROBE_PORT;
  await eventually(
    async () => (await metric(port, 'processor_failed_attempts_total', 'credentials')) > 12,
    'they are tried',
  );
  assert.equal((await readiness(port)).status, 503);
  assert.equal(await metric(port, 'processor_messages_total'), 0);
  await wrong.kill();
  await startProcessor(t, data, 'sortByType', env);
  await eventually(async () => (await keysOf(s3, 'jpegs')).length === 12, 'all are moved');
});
