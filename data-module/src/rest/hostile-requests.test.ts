/** Requests that are wrong in every way: each gets a named error, or its connection closed, and the module lives. */
import assert from 'node:assert/strict';
import { access, mkdir, readdir, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { Readable } from 'node:stream';
import test, { type TestContext } from 'node:test';
import { sleep } from '@zenko-modules/common/deadline';
import { temporaryFolder } from '@zenko-modules/common/testing/temporary-folder';
import { HttpStore } from '../testing/http-store.js';
import { blobsUnder } from '../testing/blob-files.js';
import { connectRaw, exchangeRaw } from '../testing/raw-http.js';
import { type StartedModule, startTestModule } from '../testing/start-module.js';

const HEAD_END = '\r\n\r\n';

async function startedModule(t: TestContext): Promise<StartedModule & { volume: string; store: HttpStore }> {
  const folder = await temporaryFolder(t);
  const module = await startTestModule(t, { DATA_DIR: folder });
  const store = new HttpStore(module.port);
  t.after(() => store.close());
  return { ...module, volume: path.join(folder, 'data'), store };
}

function assertError(answer: string, status: number, type: string): void {
  assert.match(answer, new RegExp(`^HTTP/1.1 ${status} `), answer.slice(0, 200));
  const body = answer.slice(answer.indexOf(HEAD_END) + HEAD_END.length);
  assert.ok(body.endsWith('\n'));
  const parsed = JSON.parse(body) as { errorType: string; errorMessage: string };
  assert.equal(parsed.errorType, type);
  assert.equal(typeof parsed.errorMessage, 'string');
}

const MALFORMED: Readonly<Record<string, readonly [request: string, status: number, type: string]>> = {
  garbage: ['\0\x01\x02 no HTTP\r\n\r\n', 400, 'InvalidInput'],
  'a TLS greeting': ['\x16\x03\x01\x02\0\x01\0\x01\xfc\x03\x03', 400, 'InvalidInput'],
  'no version': ['GET\r\n\r\n', 400, 'InvalidInput'],
  'a head that never ends': [`GET / HTTP/1.1\r\nX: ${'x'.repeat(20_000)}`, 431, 'InvalidInput'],
  'a head that is cut off': ['PUT /DataFile/ HTTP/1.1\r\nHost: x\r\n', 400, 'IncompleteBody'],
  'two lengths': [
    'PUT /DataFile HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab',
    400,
    'InvalidInput',
  ],
  'a length and chunks': [
    'PUT /DataFile HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n',
    400,
    'InvalidInput',
  ],
  'a negative length': [
    'PUT /DataFile HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n',
    400,
    'InvalidInput',
  ],
  'a length beyond 64 bits': [
    'PUT /DataFile HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999999999999999\r\n\r\n',
    400,
    'InvalidInput',
  ],
  'a length beyond what can be counted': [
    'PUT /DataFile HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: 9007199254740992\r\n\r\n',
    400,
    'EntityTooLarge',
  ],
  'a length beyond the disk': [
    'PUT /DataFile HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: 9007199254740991\r\n\r\n',
    503,
    'ServiceUnavailable',
  ],
  'no length': [
    'PUT /DataFile HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n',
    411,
    'MissingContentLength',
  ],
  'no host': ['GET /DataFile/abcd HTTP/1.1\r\nConnection: close\r\n\r\n', 400, 'InvalidInput'],
  'an expectation that nobody can meet': [
    'PUT /DataFile HTTP/1.1\r\nHost: x\r\nExpect: tea\r\nContent-Length: 5\r\n\r\n',
    400,
    'InvalidInput',
  ],
  'an unknown method': [
    'PATCH /DataFile HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n',
    405,
    'MethodNotAllowed',
  ],
  OPTIONS: ['OPTIONS * HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n', 405, 'MethodNotAllowed'],
  'a path outside': [
    'GET /DataFile/../../../etc/passwd HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n',
    400,
    'InvalidURI',
  ],
  'a whole URL of no blob': [
    'GET http://elsewhere/DataFile/ab HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n',
    404,
    'ObjNotFound',
  ],
  'a whole URL of another scheme': [
    'GET ftp://elsewhere/DataFile/ab HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n',
    400,
    'InvalidURI',
  ],
  'HTTP/1.0': ['GET /DataFile/abcd HTTP/1.0\r\n\r\n', 404, 'ObjNotFound'],
  'a broken escape': [
    'DELETE /DataFile/%zz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n',
    400,
    'InvalidURI',
  ],
  'a very long key': [
    `GET /DataFile/${'a'.repeat(5000)} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n`,
    404,
    'ObjNotFound',
  ],
};

test('each malformed or senseless request gets an error of the catalogue', async t => {
  const { port, store, volume } = await startedModule(t);
  for (const [name, [request, status, type]] of Object.entries(MALFORMED)) {
    await t.test(name, async () => {
      const connection = connectRaw(port);
      connection.write(Buffer.from(request, 'latin1'));
      if (name.includes('cut off')) connection.end();
      await connection.until('}\n');
      connection.destroy();
      assertError(connection.received(), status, type);
    });
  }
  await store.ping();
  assert.deepEqual(await blobsUnder(volume), []);
});

test('an upload whose sender ends the connection early is answered and not stored', async t => {
  const { port, volume, store } = await startedModule(t);
  const upload = connectRaw(port);
  upload.write('PUT /DataFile HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\nfive.');
  upload.end();
  assertError(await upload.closed, 400, 'IncompleteBody');
  await store.ping();
  while ((await readdir(path.join(volume, '.uploads'))).length > 0) await sleep(10);
  assert.deepEqual(await blobsUnder(volume), []);
});

test('garbage after a good request does not get into its answer', async t => {
  const { port, store } = await startedModule(t);
  const key = await store.put(Readable.from(['whole']), 5);
  const answer = await exchangeRaw(port, `GET /DataFile/${key} HTTP/1.1\r\nHost: x\r\n\r\n\0garbage\r\n\r\n`);
  assert.ok(answer === '' || answer.endsWith('whole'), answer);
});

test('an error of HEAD has a status and no body', async t => {
  const { port } = await startedModule(t);
  const answer = await exchangeRaw(
    port,
    'HEAD /DataFile/abcd HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n',
  );
  assert.match(answer, /^HTTP\/1.1 404 /);
  assert.ok(answer.endsWith(HEAD_END));
});

test('a refused upload is read to its end, and the connection serves the next request', async t => {
  const { port } = await startedModule(t);
  const connection = connectRaw(port);
  const body = Buffer.alloc(8 * 1024 * 1024);
  connection.write(`PUT /DataFile/abcd HTTP/1.1\r\nHost: x\r\nContent-Length: ${body.length}\r\n\r\n`);
  connection.write(body);
  connection.write('GET /DataFile/abcd HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n');
  const answers = (await connection.closed).split('HTTP/1.1 ').slice(1);
  assert.deepEqual(
    answers.map(answer => answer.slice(0, 3)),
    ['400', '404'],
  );
});

test('a refused upload without end is answered, and cut after a while', async t => {
  const { port } = await startedModule(t);
  const connection = connectRaw(port);
  connection.write(`PUT /DataFile/abcd HTTP/1.1\r\nHost: x\r\nContent-Length: ${2 ** 40}\r\n\r\n`);
  await connection.until('"InvalidURI"');
  const piece = Buffer.alloc(1024 * 1024);
  const flood = setInterval(() => connection.write(piece), 1);
  try {
    await connection.closed;
  } finally {
    clearInterval(flood);
  }
});

test('a client that waits for 100 Continue gets it, or the error instead', async t => {
  const { port } = await startedModule(t);
  const head = (target: string): string =>
    `PUT ${target} HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\n`;
  const accepted = connectRaw(port);
  accepted.write(head('/DataFile'));
  await accepted.until('100 Continue\r\n\r\n');
  accepted.write('bytes');
  await accepted.until('HTTP/1.1 201 ');
  accepted.destroy();

  const refused = connectRaw(port);
  refused.write(head('/DataFile/abcd'));
  const answer = await refused.closed;
  assertError(answer, 400, 'InvalidURI');
  assert.match(answer, /connection: close/i);
});

test('files outside the volume are out of reach of every method', async t => {
  const { port, volume } = await startedModule(t);
  const outside = path.join(path.dirname(volume), 'abcd');
  await writeFile(outside, 'secret');
  await mkdir(path.join(volume, 'ef'));
  for (const method of ['GET', 'DELETE', 'HEAD', 'PUT']) {
    for (const key of ['../abcd', '..%2fabcd', '..\\abcd', '1/../../abcd', '.uploads', 'ef/../../abcd']) {
      const request = `${method} /DataFile/${key} HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\nConnection: close\r\n\r\n`;
      const answer = await exchangeRaw(port, request);
      assert.match(answer, /^HTTP\/1.1 400 /, `${method} ${key}`);
      assert.ok(!answer.includes('secret'));
    }
  }
  await access(outside);
});
