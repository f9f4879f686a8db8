/**
 * `npm run test:clients`: the S3 tools that people use, each with its defaults against s3-front from a fresh `npm start`.
 * What comes back is compared byte for byte. A client that is not installed is skipped by name, or fails with CI=true.
 * `CLIENTS_COPY_BYTES` makes rclone's large file smaller.
 */
import assert from 'node:assert/strict';
import { execFile, spawnSync } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { mkdir, open, readdir, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { pipeline } from 'node:stream/promises';
import test, { type TestContext } from 'node:test';
import { promisify } from 'node:util';
import { S3Client } from '@aws-sdk/client-s3';
import * as commands from '@aws-sdk/client-s3';
import { Upload } from '@aws-sdk/lib-storage';
import { temporaryFolder } from '@zenko-modules/common/testing/temporary-folder';
import { findInPath, skipReason } from '@zenko-modules/common/testing/test-server';
import { startAll } from '../support/everything.js';

const MiB = 1024 * 1024;
const ACCESS_KEY = 'accessKey1';
const SECRET_KEY = 'verySecretKey1';
/** What rclone copies: more than the 200 MiB up to which it uploads at once. */
const COPY_BYTES = Number(process.env.CLIENTS_COPY_BYTES ?? 300_000_000);
/** A Python that has boto3. */
const PYTHON = process.env.BOTO3_PYTHON ?? 'python3';

// What this machine tells S3 clients is not for these: keys, endpoints, certificates of others, proxies.
process.env = {
  ...Object.fromEntries(
    Object.entries(process.env).filter(([name]) => !/^(AWS|BOTO|RCLONE|RESTIC)_|_proxy$/i.test(name)),
  ),
  AWS_CONFIG_FILE: '/dev/null',
  AWS_SHARED_CREDENTIALS_FILE: '/dev/null',
};

const missing = (program: string): string | false =>
  skipReason(findInPath(program) !== undefined, `needs ${program} in PATH`);

function boto3Missing(): string | false {
  const { status } = spawnSync(PYTHON, ['-c', 'import boto3'], { stdio: 'ignore' });
  return skipReason(status === 0, 'needs boto3; BOTO3_PYTHON may name a Python that has it');
}

interface Client {
  readonly folder: string;
  readonly endpoint: string;
  /** Runs a program of the client; resolves with what it printed. */
  readonly run: (program: string, ...args: readonly string[]) => Promise<string>;
  /** The same, with something to read. */
  readonly feed: (input: string, program: string, ...args: readonly string[]) => Promise<string>;
}

async function startClient(t: TestContext, env: Readonly<Record<string, string>> = {}): Promise<Client> {
  const folder = await temporaryFolder(t);
  const { ports } = await startAll(t, await temporaryFolder(t));
  const endpoint = `http://127.0.0.1:${ports.S3_PORT ?? 0}`;
  const feed = async (input: string, program: string, ...args: readonly string[]): Promise<string> => {
    const running = promisify(execFile)(program, args, {
      cwd: folder,
      maxBuffer: 16 * MiB,
      env: {
        ...process.env,
        HOME: folder,
        AWS_ACCESS_KEY_ID: ACCESS_KEY,
        AWS_SECRET_ACCESS_KEY: SECRET_KEY,
        AWS_DEFAULT_REGION: 'us-east-1',
        AWS_CONFIG_FILE: path.join(folder, 'aws-config'),
        ...env,
      },
    });
    running.child.stdin?.end(input);
    return (await running).stdout;
  };
  return { folder, endpoint, feed, run: (program, ...args) => feed('', program, ...args) };
}

async function writeRandom(file: string, size: number): Promise<string> {
  await mkdir(path.dirname(file), { recursive: true });
  const handle = await open(file, 'w');
  try {
    for (let left = size; left > 0; left -= MiB) await handle.write(randomBytes(Math.min(MiB, left)));
  } finally {
    await handle.close();
  }
  return digestOf(file);
}

async function digestOf(file: string): Promise<string> {
  const hash = createHash('sha256');
  await pipeline(createReadStream(file), hash);
  return hash.digest('hex');
}

/** A folder of small files and one of `large` bytes; their digests by name. */
async function writeTree(folder: string, large: number): Promise<Map<string, string>> {
  const digests = new Map<string, string>();
  for (const [name, size] of [
    ['empty', 0],
    ['small', 1000],
    ['with space & ключ+.txt', 12_345],
    ['deep/er/file', 100_000],
    ['large', large],
  ] as const) {
    digests.set(name, await writeRandom(path.join(folder, name), size));
  }
  return digests;
}

async function digestsUnder(folder: string): Promise<Map<string, string>> {
  const digests = new Map<string, string>();
  for (const entry of await readdir(folder, { recursive: true, withFileTypes: true })) {
    if (!entry.isFile()) continue;
    const file = path.join(entry.parentPath, entry.name);
    digests.set(path.relative(folder, file), await digestOf(file));
  }
  return digests;
}

const sorted = (digests: ReadonlyMap<string, string>): [string, string][] => [...digests].sort();

test('AWS CLI: cp of 9 MB, sync, mv, presign, versions', { skip: missing('aws') }, async t => {
  const { folder, endpoint, run } = await startClient(t);
  const aws = (...args: readonly string[]): Promise<string> =>
    run('aws', '--endpoint-url', endpoint, ...args);
  await aws('s3', 'mb', 's3://cli');
  const nine = await writeRandom(path.join(folder, 'nine'), 9_000_000);
  await aws('s3', 'cp', 'nine', 's3://cli/nine');
  await aws('s3', 'mv', 's3://cli/nine', 's3://cli/moved');
  await aws('s3', 'cp', 's3://cli/moved', 'back');
  assert.equal(await digestOf(path.join(folder, 'back')), nine);
  const presigned = async (): Promise<Response> =>
    fetch((await aws('s3', 'presign', 's3://cli/moved')).trim());
  const byDefault = await presigned();
  const advice = 'aws configure set default.s3.signature_version s3v4';
  // Version 1 of the command line signs URLs by signature 2 unless it is told otherwise.
  assert.ok(byDefault.ok || (await byDefault.text()).includes(advice));
  await run('aws', ...advice.split(' ').slice(1));
  const body = Buffer.from(await (await presigned()).arrayBuffer());
  assert.equal(createHash('sha256').update(body).digest('hex'), nine);
  const digests = await writeTree(path.join(folder, 'tree'), 20 * MiB);
  await aws('s3', 'sync', 'tree', 's3://cli/tree');
  await aws('s3', 'sync', 's3://cli/tree', 'tree-back');
  assert.deepEqual(sorted(await digestsUnder(path.join(folder, 'tree-back'))), sorted(digests));
  await aws(
    's3api',
    'put-bucket-versioning',
    '--bucket',
    'cli',
    '--versioning-configuration',
    'Status=Enabled',
  );
  await aws('s3', 'cp', 'tree/small', 's3://cli/moved');
  const listed = await aws('s3api', 'list-object-versions', '--bucket', 'cli', '--prefix', 'moved');
  const { Versions } = JSON.parse(listed) as { Versions: { VersionId: string }[] };
  assert.equal(Versions.length, 2);
  const old = ['--bucket', 'cli', '--key', 'moved', '--version-id', 'null', 'old'];
  await aws('s3api', 'get-object', ...old);
  assert.equal(await digestOf(path.join(folder, 'old')), nine);
  await aws('s3', 'rm', '--recursive', 's3://cli/tree');
  assert.equal((await aws('s3', 'ls', '--recursive', 's3://cli')).trim().split('\n').length, 1);
});

const BOTO3 = `
import boto3, hashlib, sys, io
from boto3.s3.transfer import TransferConfig
endpoint, source, target = sys.argv[1:]
s3 = boto3.client('s3', endpoint_url=endpoint)
s3.create_bucket(Bucket='boto')
s3.upload_file(source, 'boto', 'key', ExtraArgs={'Metadata': {'a': 'b'}})
s3.copy({'Bucket': 'boto', 'Key': 'key'}, 'boto', 'copy')
s3.download_file('boto', 'copy', target)
assert s3.head_object(Bucket='boto', Key='key')['Metadata'] == {'a': 'b'}
for name in ['plain', 'with space & \\u043a\\u043b\\u044e\\u0447+']:
    s3.put_object(Bucket='boto', Key=name, Body=name.encode())
    assert s3.get_object(Bucket='boto', Key=name)['Body'].read() == name.encode()
keys = [o['Key'] for p in s3.get_paginator('list_objects_v2').paginate(Bucket='boto', PaginationConfig={'PageSize': 1}) for o in p['Contents']]
assert len(keys) == 4, keys
answer = s3.delete_objects(Bucket='boto', Delete={'Objects': [{'Key': key} for key in keys]})
assert len(answer['Deleted']) == 4, answer
s3.delete_bucket(Bucket='boto')
`;

test('boto3: upload_file, copy, download_file, pages, deletions', { skip: boto3Missing() }, async t => {
  const { folder, endpoint, run } = await startClient(t);
  const digest = await writeRandom(path.join(folder, 'source'), 30 * MiB);
  await run(PYTHON, '-c', BOTO3, endpoint, 'source', 'back');
  assert.equal(await digestOf(path.join(folder, 'back')), digest);
});

test('rclone: copy of 300 MB, sync, check, rcat, server-side move', { skip: missing('rclone') }, async t => {
  const { folder, endpoint, run, feed } = await startClient(t);
  const remote = `:s3,provider=Other,endpoint="${endpoint}",access_key_id=${ACCESS_KEY},secret_access_key=${SECRET_KEY},region=us-east-1,force_path_style=true:`;
  const digests = await writeTree(path.join(folder, 'tree'), COPY_BYTES);
  await run('rclone', 'mkdir', `${remote}rclone`);
  await run('rclone', 'copy', 'tree', `${remote}rclone/tree`);
  await run('rclone', 'check', '--download', 'tree', `${remote}rclone/tree`);
  await run('rclone', 'sync', `${remote}rclone/tree`, 'back');
  assert.deepEqual(sorted(await digestsUnder(path.join(folder, 'back'))), sorted(digests));
  await run('rclone', 'move', `${remote}rclone/tree`, `${remote}rclone/moved`);
  await run('rclone', 'check', 'tree', `${remote}rclone/moved`);
  await feed('piped content', 'rclone', 'rcat', `${remote}rclone/piped`);
  assert.equal(await run('rclone', 'cat', `${remote}rclone/piped`), 'piped content');
});

test(
  'restic: init, backup, check --read-data, restore, forget --prune',
  { skip: missing('restic') },
  async t => {
    const { folder, endpoint, run } = await startClient(t, { RESTIC_PASSWORD: 'password' });
    const restic = (...args: readonly string[]): Promise<string> =>
      run('restic', '--no-cache', '-r', `s3:${endpoint}/restic`, ...args);
    const digests = await writeTree(path.join(folder, 'tree'), 60 * MiB);
    await restic('init');
    await restic('backup', 'tree');
    await writeFile(path.join(folder, 'tree', 'small'), 'changed');
    digests.set('small', await digestOf(path.join(folder, 'tree', 'small')));
    await restic('backup', 'tree');
    await restic('check', '--read-data');
    await restic('forget', '--keep-last', '1', '--prune');
    await restic('check', '--read-data');
    await restic('restore', 'latest', '--target', 'back');
    assert.deepEqual(sorted(await digestsUnder(path.join(folder, 'back', 'tree'))), sorted(digests));
  },
);

test('s3cmd: put of 40 MB, get, sync, del', { skip: missing('s3cmd') }, async t => {
  const { folder, endpoint, run } = await startClient(t);
  const { host } = new URL(endpoint);
  const options = ['--no-ssl', `--host=${host}`, `--host-bucket=${host}`, `--access_key=${ACCESS_KEY}`];
  const s3cmd = (...args: readonly string[]): Promise<string> =>
    run('s3cmd', ...options, `--secret_key=${SECRET_KEY}`, ...args);
  await s3cmd('mb', 's3://s3cmd');
  const digests = await writeTree(path.join(folder, 'tree'), 40 * MiB);
  await s3cmd('put', 'tree/large', 's3://s3cmd/large');
  await s3cmd('get', 's3://s3cmd/large', 'large-back');
  assert.equal(await digestOf(path.join(folder, 'large-back')), digests.get('large'));
  await s3cmd('sync', 'tree/', 's3://s3cmd/tree/');
  await mkdir(path.join(folder, 'back'));
  await s3cmd('sync', 's3://s3cmd/tree/', 'back/');
  assert.deepEqual(sorted(await digestsUnder(path.join(folder, 'back'))), sorted(digests));
  await s3cmd('info', 's3://s3cmd');
  await s3cmd('info', 's3://s3cmd/large');
  await s3cmd('del', '--recursive', '--force', 's3://s3cmd');
  await s3cmd('rb', 's3://s3cmd');
});

test('AWS SDK for JavaScript: Upload of lib-storage, checksums by default', async t => {
  const { folder, endpoint } = await startClient(t);
  const client = new S3Client({
    endpoint,
    region: 'us-east-1',
    forcePathStyle: true,
    credentials: { accessKeyId: ACCESS_KEY, secretAccessKey: SECRET_KEY },
  });
  t.after(() => client.destroy());
  await client.send(new commands.CreateBucketCommand({ Bucket: 'sdk' }));
  const file = path.join(folder, 'source');
  const digest = await writeRandom(file, 25 * MiB + 7);
  const params = { Bucket: 'sdk', Key: 'k', Body: createReadStream(file) };
  await new Upload({ client, params }).done();
  const { Body, ChecksumType } = await client.send(
    new commands.GetObjectCommand({ Bucket: 'sdk', Key: 'k' }),
  );
  assert.ok(ChecksumType);
  const hash = createHash('sha256');
  await pipeline(Body as NodeJS.ReadableStream, hash);
  assert.equal(hash.digest('hex'), digest);
});
