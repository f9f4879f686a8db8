/** Listings are the same, byte for byte, whether the metadata module sends members of values or whole ones. */
import assert from 'node:assert/strict';
import test from 'node:test';
import type { ObjectValue } from '../object-value.js';
import { startMetadataRelay } from '../testing/metadata-relay.js';
import { sendSigned } from '../testing/raw-request.js';
import { type S3Stack, startStack } from '../testing/s3-stack.js';

const Bucket = 'listed';
const LISTINGS: readonly Readonly<Record<string, string>>[] = [
  {},
  { delimiter: '/' },
  { 'max-keys': '2', marker: 'dir/' },
  { 'encoding-type': 'url' },
  { 'list-type': '2' },
  { 'list-type': '2', 'fetch-owner': 'true', delimiter: '/' },
  { versions: '' },
  { versions: '', delimiter: '/', 'max-keys': '3' },
  { versions: '', 'encoding-type': 'url' },
];

async function fill({ s3, metadata }: S3Stack): Promise<void> {
  await s3.createBucket({ Bucket });
  for (const Key of ['before', 'dir/a', 'dir/b', 'odd key&<"\r\u0085😀', 'replaced'])
    await s3.putObject({ Bucket, Key, Body: Key, Metadata: { quote: '"\\' } });
  for (const Status of ['Enabled', 'Suspended', 'Enabled'] as const) {
    await s3.putBucketVersioning({ Bucket, VersioningConfiguration: { Status } });
    for (const Key of ['replaced', 'deleted', 'dir/b']) await s3.putObject({ Bucket, Key, Body: Status });
    await s3.deleteObject({ Bucket, Key: 'deleted' });
  }
  const { VersionId } = await s3.putObject({ Bucket, Key: 'placeholder', Body: 'older' });
  await s3.putObject({ Bucket, Key: 'placeholder', Body: 'newest' });
  await s3.deleteObject({ Bucket, Key: 'placeholder', VersionId });
  const value = await metadata.getObject(Bucket, 'before', {}, 'test');
  assert.ok(value);
  const odd: Record<string, object> = {
    'odd/length': { 'content-length': '12' },
    'odd/no-date': { 'last-modified': undefined },
    'odd/null': { 'last-modified': null },
    'odd/owner': { 'owner-display-name': { nested: 'x<y' } },
    'odd/etag': { 'content-md5': 'a"b\\c-7' },
  };
  for (const [key, members] of Object.entries(odd))
    await metadata.putObject(Bucket, key, { ...value, ...members }, {}, 'test');
  await metadata.putObject(Bucket, 'odd/text', JSON.parse('"no object"') as ObjectValue, {}, 'test');
}

test('a metadata module that does not send members alone is asked for whole values', async t => {
  const stack = await startStack(t);
  await fill(stack);
  const list = async (): Promise<string[]> => {
    const bodies: string[] = [];
    for (const query of LISTINGS) {
      const { status, body } = await sendSigned(stack.url, { path: `/${Bucket}`, query });
      assert.equal(status, 200, body);
      bodies.push(body);
    }
    return bodies;
  };
  const ofMembers = await list();
  assert.match(ofMembers[0] ?? '', /<Key>odd\/owner<\/Key>/);
  const relay = await startMetadataRelay(t, stack.port('METADATA_PORT'));
  const calls = new Set<string>();
  relay.fate = ({ name }) => {
    calls.add(name);
    return 'passed';
  };
  await stack.kill('s3-front', 'SIGTERM');
  await stack.restart('s3-front', {
    METADATA_PORT: String(relay.port),
    S3_PORT: String(stack.port('S3_PORT')),
    S3_PROBE_PORT: '0',
  });
  assert.deepEqual(await list(), ofMembers);
  assert.ok(calls.has('createReadStream'));
});
