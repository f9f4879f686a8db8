/** All parts with each other over TLS, the plain ports closed: through S3, the log's reader, and a tool. */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import path from 'node:path';
import test from 'node:test';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import {
  CreateBucketCommand,
  GetObjectCommand,
  GetObjectTaggingCommand,
  PutObjectCommand,
} from '@aws-sdk/client-s3';
import { sleep } from '@zenko-modules/common/deadline';
import { TestAuthority } from '@zenko-modules/common/testing/certificates';
import { temporaryFolder } from '@zenko-modules/common/testing/temporary-folder';
import { startAll } from './support/everything.js';
import { s3Client } from './support/s3-client.js';

const TOOLS = fileURLToPath(new URL('../../tools/dist/main.js', import.meta.url));
const WAIT_MS = 60_000;

test('an object is stored, tagged and checked over TLS alone; a tool without a certificate is refused', async t => {
  const folder = await temporaryFolder(t);
  const [ours, others] = await Promise.all([
    TestAuthority.make(path.join(folder, 'ours')),
    TestAuthority.make(path.join(folder, 'others')),
  ]);
  const files = await ours.settingsFor('part');
  const everything = await startAll(t, await temporaryFolder(t), {
    ...files,
    DATA_TLS_PORT: '0',
    METADATA_TLS_PORT: '0',
    PLAIN_PORTS: 'false',
  });
  const { ports } = everything;
  assert.deepEqual([ports.DATA_PORT, ports.METADATA_PORT], [undefined, undefined]);
  const s3 = s3Client(t, everything);
  const object = { Bucket: 'secured', Key: 'helloworld' };
  await s3.send(new CreateBucketCommand({ Bucket: object.Bucket }));
  await s3.send(new PutObjectCommand({ ...object, Body: 'body' }));
  const { Body } = await s3.send(new GetObjectCommand(object));
  assert.equal(await Body?.transformToString(), 'body');
  // The populator has read it in the log.
  const deadline = Date.now() + WAIT_MS;
  for (;;) {
    const { TagSet = [] } = await s3.send(new GetObjectTaggingCommand(object));
    if (TagSet.some(({ Key }) => Key === 'hello')) break;
    assert.ok(Date.now() < deadline, everything.output());
    await sleep(100);
  }
  const tool = (verb: string, env: Readonly<Record<string, string>>): Promise<{ stdout: string }> =>
    promisify(execFile)(process.execPath, [TOOLS, verb], {
      env: {
        PATH: process.env.PATH,
        DATA_TLS_PORT: String(ports.DATA_TLS_PORT),
        METADATA_TLS_PORT: String(ports.METADATA_TLS_PORT),
        ...env,
      },
    });
  assert.match((await tool('scrub', files)).stdout, /1 blob/);
  assert.match((await tool('orphans', files)).stdout, /1 /);
  const { TLS_CERT_FILE = '', TLS_KEY_FILE = '' } = await others.settingsFor('tool');
  await assert.rejects(tool('scrub', { ...files, TLS_CERT_FILE, TLS_KEY_FILE }), (err: unknown) => {
    assert.ok(err instanceof Error && 'code' in err && 'stderr' in err);
    assert.equal(err.code, 2);
    assert.match(String(err.stderr), /METADATA_HOST, METADATA_TLS_PORT: cannot reach the metadata module/);
    return true;
  });
  await assert.rejects(tool('scrub', {}), /TLS_CERT_FILE, TLS_KEY_FILE, TLS_CA_FILE: not set/);
});
