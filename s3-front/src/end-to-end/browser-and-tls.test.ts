/** The page for browsers, and the endpoint over TLS. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { readFile, rename } from 'node:fs/promises';
import https from 'node:https';
import path from 'node:path';
import test from 'node:test';
import { connect } from 'node:tls';
import { sleep } from '@zenko-modules/common/deadline';
import { startDaemon } from '@zenko-modules/common/testing/daemon-process';
import { temporaryFolder } from '@zenko-modules/common/testing/temporary-folder';
import { fileURLToPath } from 'node:url';
import { send } from '../testing/raw-request.js';
import { startStack } from '../testing/s3-stack.js';

const BROWSER = { accept: 'text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8' };
const WAIT_MS = 20_000;

test('a browser is shown how to connect, and nothing secret', async t => {
  const { url } = await startStack(t, { S3_ACCESS_KEY: 'someAccess', S3_SECRET_KEY: 'someSecret' });
  const page = await send(url, { path: '/', headers: BROWSER });
  assert.equal(page.status, 200);
  assert.match(page.headers['content-type'] ?? '', /^text\/html/);
  for (const text of [url, 'us-east-1', 'aws --endpoint-url', 'rclone config create', 'boto3.client']) {
    assert.ok(page.body.includes(text), text);
  }
  assert.doesNotMatch(page.body, /someAccess|someSecret|verySecretKey1/);
  const hostile = await send(url, {
    path: '/',
    headers: { ...BROWSER, host: '"><script>alert(1)</script>' },
  });
  assert.doesNotMatch(hostile.body, /<script/);
  for (const request of [
    { path: '/' },
    { path: '/', headers: { accept: '*/*' } },
    { path: '/bucket', headers: BROWSER },
    { path: '/?x-id=ListBuckets', headers: BROWSER },
  ]) {
    assert.equal((await send(url, request)).code, 'AccessDenied');
  }
  assert.equal((await send(url, { method: 'PUT', path: '/', headers: BROWSER })).code, 'AccessDenied');
});

function makeCertificate(folder: string, name: string): { cert: string; key: string } {
  const [cert, key] = [path.join(folder, `${name}.crt`), path.join(folder, `${name}.key`)];
  const subject = ['-subj', `/CN=${name}`, '-addext', 'subjectAltName=IP:127.0.0.1'];
  const files = ['-keyout', key, '-out', cert];
  execFileSync(
    'openssl',
    ['req', '-x509', '-newkey', 'rsa:2048', '-nodes', '-days', '2', ...subject, ...files],
    {
      stdio: 'ignore',
    },
  );
  return { cert, key };
}

test('over TLS, with a certificate that changes while it runs', async t => {
  const folder = await temporaryFolder(t);
  const [first, second] = [makeCertificate(folder, 'first'), makeCertificate(folder, 'second')];
  const stack = await startStack(t, { S3_TLS_CERT_FILE: first.cert, S3_TLS_KEY_FILE: first.key });
  const port = stack.port('S3_PORT');
  const endpoint = `https://127.0.0.1:${port}`;
  const ca = await readFile(first.cert);
  const s3 = stack.client({
    endpoint,
    requestHandler: { httpsAgent: new https.Agent({ ca }) },
  });
  await s3.createBucket({ Bucket: 'over-tls' });
  await s3.putObject({ Bucket: 'over-tls', Key: 'k', Body: 'body' });
  const { Body } = await s3.getObject({ Bucket: 'over-tls', Key: 'k' });
  assert.equal(await Body?.transformToString(), 'body');

  const nameNow = (): Promise<string> =>
    new Promise((resolve, reject) => {
      const socket = connect({ host: '127.0.0.1', port, rejectUnauthorized: false }, () => {
        resolve(String(socket.getPeerCertificate().subject.CN));
        socket.destroy();
      });
      socket.on('error', reject);
    });
  assert.equal(await nameNow(), 'first');
  // In between they do not belong together.
  await rename(second.cert, first.cert);
  await stack.printed('s3-front', /certificate is not in order/);
  assert.equal(await nameNow(), 'first');
  await rename(second.key, first.key);
  const deadline = Date.now() + WAIT_MS;
  while ((await nameNow()) !== 'second') {
    assert.ok(Date.now() < deadline, 'the new certificate is served');
    await sleep(100);
  }
});

test('a certificate that cannot be used stops the start', async t => {
  const folder = await temporaryFolder(t);
  const { cert, key } = makeCertificate(folder, 'one');
  const entry = fileURLToPath(new URL('../main.js', import.meta.url));
  for (const env of [
    { S3_TLS_CERT_FILE: cert },
    { S3_TLS_KEY_FILE: key },
    { S3_TLS_CERT_FILE: key, S3_TLS_KEY_FILE: cert },
    { S3_TLS_CERT_FILE: path.join(folder, 'none'), S3_TLS_KEY_FILE: key },
  ]) {
    const started = startDaemon(t, { entry, env: { ...env, S3_PORT: '0', S3_PROBE_PORT: '0' } });
    await assert.rejects(started, /S3_TLS_CERT_FILE and S3_TLS_KEY_FILE: /);
  }
});
