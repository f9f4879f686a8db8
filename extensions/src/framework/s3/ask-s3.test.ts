import assert from 'node:assert/strict';
import http from 'node:http';
import test, { type TestContext } from 'node:test';
import { listen } from '@zenko-modules/common/listen';
import { freePort } from '@zenko-modules/common/testing/test-server';
import { createAskS3, type S3State } from './ask-s3.js';
import { createS3Client } from './s3-client.js';

interface Answer {
  readonly status: number;
  readonly code: string;
}
const WELL: Answer = { status: 200, code: '' };
const error = (status: number, code: string): Answer => ({ status, code });

/** An endpoint that answers so for a bucket, and for the service; and the requests that came. */
async function startS3(t: TestContext, ofBucket: Answer, ofService: Answer) {
  const requests: string[] = [];
  const server = http.createServer((req, res) => {
    const { url = '' } = req;
    requests.push(`${req.method} ${url.split('?')[0]} ${req.headers.authorization ? 'signed' : 'unsigned'}`);
    const { status, code } = url.startsWith('/b') ? ofBucket : ofService;
    res.writeHead(status, { 'content-type': 'application/xml' });
    const body = code === '' ? '<Result/>' : `<Error><Code>${code}</Code><Message>so it is</Message></Error>`;
    res.end(`<?xml version="1.0"?>${body}`);
  });
  const port = await listen(server, 'S3', 0, '127.0.0.1');
  t.after(() => {
    server.close();
    server.closeAllConnections();
  });
  return { port, requests };
}

function askAt(t: TestContext, port: number): (bucket?: string) => Promise<S3State> {
  const client = createS3Client({
    endpoint: `http://127.0.0.1:${port}`,
    credentials: {
      source: 'the test',
      current: () => Promise.resolve({ accessKeyId: 'a', secretAccessKey: 's' }),
    },
  });
  t.after(() => client.destroy());
  return createAskS3(client);
}

const said = ({ status, code }: Answer): string => code || (status === 200 ? 'listed' : `${status}`);

const cases: [Answer, Answer, S3State][] = [
  [WELL, WELL, 'well'],
  [error(403, 'AccessDenied'), WELL, 'well'],
  [error(404, 'NoSuchBucket'), WELL, 'well'],
  [error(403, 'InvalidAccessKeyId'), error(403, 'InvalidAccessKeyId'), 'credentials'],
  [error(403, 'SignatureDoesNotMatch'), error(403, 'SignatureDoesNotMatch'), 'credentials'],
  [error(403, 'SignatureDoesNotMatch'), WELL, 'well'],
  [error(503, 'ServiceUnavailable'), WELL, 'away'],
  [error(503, 'SlowDown'), WELL, 'away'],
  [error(404, ''), WELL, 'away'],
  [error(500, 'InternalError'), error(404, ''), 'away'],
  [error(500, 'InternalError'), WELL, 'well'],
  [error(500, 'InternalError'), error(403, 'AccessDenied'), 'well'],
  [error(500, 'InternalError'), error(500, 'InternalError'), 'failing'],
  [error(500, 'InternalError'), error(503, 'ServiceUnavailable'), 'away'],
];

for (const [ofBucket, ofService, state] of cases) {
  test(`bucket: ${said(ofBucket)}, service: ${said(ofService)}: S3 is "${state}"`, async t => {
    const { port, requests } = await startS3(t, ofBucket, ofService);
    assert.equal(await askAt(t, port)('b'), state);
    assert.match(requests[0] ?? '', /^GET \/b\/? signed$/);
  });
}

for (const name of ['b//c', '', '\ud800', 'arn:aws:s3:::b']) {
  test(`a bucket ${JSON.stringify(name)}, which there cannot be, says nothing of S3: the service is asked`, async t => {
    const { port, requests } = await startS3(t, WELL, WELL);
    assert.equal(await askAt(t, port)(name), 'well');
    assert.deepEqual(requests, ['GET / signed']);
    const refusing = await startS3(t, WELL, error(403, 'InvalidAccessKeyId'));
    assert.equal(await askAt(t, refusing.port)(name), 'credentials');
    assert.equal(await askAt(t, await freePort())(name), 'away');
  });
}

test('without a bucket the service is asked', async t => {
  const { port, requests } = await startS3(t, WELL, error(403, 'InvalidAccessKeyId'));
  assert.equal(await askAt(t, port)(), 'credentials');
  assert.deepEqual(requests, ['GET / signed']);
});

test('many that ask at once share one answer', async t => {
  const { port, requests } = await startS3(t, WELL, WELL);
  const ask = askAt(t, port);
  const states = await Promise.all(Array.from({ length: 50 }, () => ask('b')));
  assert.deepEqual(new Set(states), new Set(['well']));
  assert.equal(requests.length, 1);
});

test('where nobody listens S3 is away', async t => {
  assert.equal(await askAt(t, await freePort())('b'), 'away');
});
