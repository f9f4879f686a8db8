/** The front as a process: its start, its end, its probes, and the ids by which a request is followed. */
import assert from 'node:assert/strict';
import http from 'node:http';
import test from 'node:test';
import { fileURLToPath } from 'node:url';
import { sleep } from '@zenko-modules/common/deadline';
import { runToExit } from '@zenko-modules/common/testing/daemon-process';
import { sendSigned, sign } from '../testing/raw-request.js';
import { startStack } from '../testing/s3-stack.js';
import { uploadHasBegun } from '../testing/stored-blobs.js';

const MiB = 1024 * 1024;
const REFUSED_WITHIN_MS = 20_000;
const ENTRY = fileURLToPath(new URL('../main.js', import.meta.url));

test('a setting that is wrong stops the start with one line that names it', async t => {
  for (const [env, message] of [
    [{ S3_PORT: 'eighty' }, /^s3-front: S3_PORT: "eighty" is not accepted: expected a port number.*\n$/],
    [{ S3_MODULE_TIMEOUT_MS: '5' }, /S3_MODULE_TIMEOUT_MS/],
    [{ S3_SECRET_KEY_FILE: '/does/not/exist' }, /S3_SECRET_KEY_FILE: cannot read/],
    [{ S3_PORT: '0', S3_PROBE_PORT: '0', LISTEN_ADDRESS: '203.0.113.1' }, /LISTEN_ADDRESS 203\.0\.113\.1/],
  ] as const) {
    const { code, output } = await runToExit(t, { entry: ENTRY, env });
    assert.equal(code, 1);
    assert.match(output, message);
    assert.equal(output.split('\n').length, 2, output);
  }
});

test('a port in use is told by its setting', async t => {
  const blocker = http.createServer();
  await new Promise<void>(resolve => void blocker.listen(0, '127.0.0.1', resolve));
  t.after(() => blocker.close());
  const { port } = blocker.address() as { port: number };
  for (const setting of ['S3_PORT', 'S3_PROBE_PORT']) {
    const env = { S3_PORT: '0', S3_PROBE_PORT: '0', LOG_LEVEL: 'silent', [setting]: String(port) };
    const { code, output } = await runToExit(t, { entry: ENTRY, env });
    assert.equal(code, 1);
    assert.equal(output, `s3-front: ${setting}: port ${port} on 127.0.0.1 is already in use\n`);
  }
});

test('a stop lets a request end, refuses new connections, and exits with 0', async t => {
  const stack = await startStack(t);
  await stack.s3.createBucket({ Bucket: 'stopping' });
  const { headers, path } = await sign(stack.url, {
    method: 'PUT',
    path: '/stopping/k',
    headers: { 'content-length': String(2 * MiB) },
  });
  const agent = new http.Agent({ keepAlive: true });
  t.after(() => agent.destroy());
  const request = http.request(stack.url + path, { method: 'PUT', headers, agent });
  const answered = new Promise<http.IncomingMessage>((resolve, reject) => {
    request.once('response', resolve).once('error', reject);
  });
  const [first, rest] = [Buffer.alloc(MiB, 1), Buffer.alloc(MiB, 2)];
  request.write(first);
  await uploadHasBegun(stack.folder);
  const stopped = stack.front.kill('SIGTERM');
  const isRefused = async (): Promise<boolean> => {
    const found: unknown = await sendSigned(stack.url, { path: '/' }).catch((err: unknown) => err);
    return (found as { code?: string }).code === 'ECONNREFUSED';
  };
  const deadline = Date.now() + REFUSED_WITHIN_MS;
  while (!(await isRefused())) {
    assert.ok(Date.now() < deadline, 'new connections are refused');
    await sleep(20);
  }
  request.end(rest);
  const response = await answered;
  response.resume();
  assert.equal(response.statusCode, 200);
  assert.equal(response.headers.connection, 'close');
  assert.deepEqual(await stopped, { code: 0, signal: null });
  await stack.restart('s3-front');
  const { Body } = await stack.s3.getObject({ Bucket: 'stopping', Key: 'k' });
  assert.ok(Buffer.concat([first, rest]).equals((await Body?.transformToByteArray()) ?? Buffer.alloc(0)));
});

test('a stop does not wait for ever for a client, and exits with 0 all the same', async t => {
  const stack = await startStack(t, { STOP_GRACE_MS: '2000' });
  await stack.s3.createBucket({ Bucket: 'stopping' });
  const { headers, path } = await sign(stack.url, {
    method: 'PUT',
    path: '/stopping/k',
    headers: { 'content-length': String(2 * MiB) },
  });
  const request = http.request(stack.url + path, { method: 'PUT', headers, agent: false });
  const failed = new Promise<Error>(resolve => request.once('error', resolve));
  request.write(Buffer.alloc(MiB));
  await uploadHasBegun(stack.folder);
  assert.deepEqual(await stack.front.kill('SIGTERM'), { code: 0, signal: null });
  assert.match((await failed).message, /socket hang up|ECONNRESET/);
});

test('probes and metrics are there, and one request is followed through all logs', async t => {
  const stack = await startStack(t);
  const probe = `http://127.0.0.1:${stack.port('S3_PROBE_PORT')}`;
  assert.equal((await fetch(`${probe}/_/live`)).status, 200);
  assert.equal((await fetch(`${probe}/_/ready`)).status, 200);
  await stack.s3.createBucket({ Bucket: 'followed' });
  const answer = await sendSigned(stack.url, {
    method: 'PUT',
    path: '/followed/k',
    headers: { 'content-length': '5', 'x-scal-request-uids': 'from:outside' },
    body: 'hello',
  });
  const id = String(answer.headers['x-amz-request-id']);
  await stack.printed('s3-front', new RegExp(`"reqUids":"from:outside:${id}".*"operation":"PutObject"`));
  await stack.printed('data-module', new RegExp(`from:outside:${id}`));
  const metrics = await (await fetch(`${probe}/metrics`)).text();
  assert.match(metrics, /s3_front_requests_total\{operation="PutObject",status="200"\} 1/);
  assert.match(metrics, /s3_front_request_seconds_count\{operation="CreateBucket"\} 1/);
});
