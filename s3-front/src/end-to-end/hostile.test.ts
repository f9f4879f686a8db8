/** Requests that are wrong in every way: each gets a named error, and the front lives. */
import assert from 'node:assert/strict';
import net from 'node:net';
import test from 'node:test';
import { seededRandom } from '@zenko-modules/common/testing/random';
import { withDeadline } from '@zenko-modules/common/deadline';
import { type RawRequest, send, sendSigned, sign } from '../testing/raw-request.js';
import { startStack } from '../testing/s3-stack.js';

const Bucket = 'hostile';

test('hostile requests', async t => {
  const stack = await startStack(t, { S3_IDLE_TIMEOUT_MS: '1500' });
  const { s3, url, port } = stack;
  await s3.createBucket({ Bucket });
  await s3.putObject({ Bucket, Key: 'k', Body: 'x', Metadata: { a: 'b' } });
  const lives = async (): Promise<void> => {
    const { Body } = await s3.getObject({ Bucket, Key: 'k' });
    assert.equal(await Body?.transformToString(), 'x');
  };
  /** Sends bytes as they are and returns all that comes back until the connection ends. */
  const raw = (bytes: string | Buffer): Promise<string> =>
    withDeadline(
      new Promise(resolve => {
        const socket = net.connect(port('S3_PORT'), '127.0.0.1');
        let answer = '';
        socket.on('error', () => socket.destroy());
        socket.on('data', (part: Buffer) => (answer += part.toString('latin1')));
        socket.on('close', () => resolve(answer));
        socket.write(bytes);
      }),
      15_000,
      'the end of a connection',
    );

  await t.test('XML that bombs, nests, lies or is none', async () => {
    const bomb =
      '<!DOCTYPE x [<!ENTITY a "aaaaaaaaaa">' +
      Array.from(
        { length: 9 },
        (_, n) => `<!ENTITY ${'bcdefghij'[n] ?? ''} "${`&${'abcdefghi'[n] ?? ''};`.repeat(10)}">`,
      ).join('') +
      ']><Tagging><TagSet><Tag><Key>&j;</Key><Value>x</Value></Tag></TagSet></Tagging>';
    const external = bomb.replace(/\[.*\]/, 'SYSTEM "file:///etc/passwd"').replace('&j;', 'k');
    for (const body of [
      bomb,
      external,
      '<a>'.repeat(20_000),
      '<Tagging>'.repeat(10) + '</Tagging>'.repeat(10),
      '<Tagging><TagSet/></Tagging><Tagging/>',
      '<Tagging><TagSet></Tagging></TagSet>',
      '<Tagging><TagSet/>',
      '<Tagging><TagSet><Tag><Key>&undefined;</Key><Value/></Tag></TagSet></Tagging>',
      '<Tagging><TagSet><Tag><Key>&#x110000;</Key><Value/></Tag></TagSet></Tagging>',
      '<Tagging><TagSet><Tag><Key>a</Key></Tag></TagSet></Tagging>',
      '<Tagging><TagSet/><TagSet/></Tagging>',
      '<tagging><TagSet/></tagging>',
      '{"TagSet":[]}',
      '\0\0\0\0',
      ']]>',
      '',
      `<Tagging ${'a="b" '.repeat(5000)}/>`,
    ]) {
      const answer = await sendSigned(url, {
        method: 'PUT',
        path: `/${Bucket}/k`,
        query: { tagging: '' },
        headers: { 'content-length': String(Buffer.byteLength(body)) },
        body,
      });
      assert.deepEqual([answer.status, answer.code], [400, 'MalformedXML'], body.slice(0, 60));
    }
    const many = `<Delete>${'<a/>'.repeat(10_000)}</Delete>`;
    const refusal = await sendSigned(url, {
      method: 'POST',
      path: `/${Bucket}`,
      query: { delete: '' },
      headers: { 'content-length': String(many.length) },
      body: many,
    });
    assert.equal(refusal.status, 400);
    assert.match(refusal.body, /more than 10000 elements/);
    const binary = await sendSigned(url, {
      method: 'PUT',
      path: `/${Bucket}/k`,
      query: { tagging: '' },
      headers: { 'content-length': '1000' },
      body: Buffer.alloc(1000, 0xff),
    });
    assert.equal(binary.code, 'MalformedXML');
    await lives();
  });

  await t.test('sub-resources and methods that are not offered', async () => {
    const cases: [RawRequest, string][] = [
      [{ method: 'PUT', path: `/${Bucket}/k`, query: { uploadId: 'x', partNumber: '1' } }, 'NoSuchUpload'],
      [{ method: 'PUT', path: `/${Bucket}/k`, query: { uploads: '' } }, 'NotImplemented'],
      [{ method: 'PUT', path: `/${Bucket}/k`, query: { partNumber: '1' } }, 'NotImplemented'],
      [{ method: 'DELETE', path: `/${Bucket}/k`, query: { versionId: 'x' } }, 'InvalidArgument'],
      [{ method: 'GET', path: `/${Bucket}/k`, query: { versionId: '' } }, 'InvalidArgument'],
      [{ method: 'GET', path: `/${Bucket}/k`, query: { versionId: '00' } }, 'InvalidArgument'],
      [
        { method: 'GET', path: `/${Bucket}`, query: { versions: '', 'version-id-marker': 'null' } },
        'InvalidArgument',
      ],
      [{ method: 'DELETE', path: `/${Bucket}`, query: { inventory: '' } }, 'NotImplemented'],
      [{ method: 'PUT', path: `/${Bucket}`, query: { versioning: '' } }, 'MalformedXML'],
      [{ method: 'PUT', path: `/${Bucket}`, query: { acl: '' } }, 'NotImplemented'],
      [{ method: 'GET', path: `/${Bucket}`, query: { 'list-type': '2', acl: '' } }, 'NotImplemented'],
      [{ method: 'POST', path: `/${Bucket}` }, 'MethodNotAllowed'],
      [{ method: 'POST', path: `/${Bucket}/k` }, 'MethodNotAllowed'],
      [{ method: 'PATCH', path: `/${Bucket}/k` }, 'MethodNotAllowed'],
      [{ method: 'OPTIONS', path: `/${Bucket}/k` }, 'MethodNotAllowed'],
      [{ method: 'PUT', path: '/' }, 'MethodNotAllowed'],
      [{ method: 'DELETE', path: '/' }, 'MethodNotAllowed'],
      [{ path: '//k' }, 'InvalidBucketName'],
      [{ path: '/x/k' }, 'InvalidBucketName'],
      [{ method: 'GET', path: `/${Bucket}/${'k'.repeat(916)}` }, 'KeyTooLongError'],
      [{ method: 'GET', path: `/${Bucket}/a\0b` }, 'InvalidArgument'],
    ];
    for (const [request, code] of cases) {
      const answer = await sendSigned(url, { headers: { 'content-length': '0' }, ...request });
      assert.equal(answer.code, code, JSON.stringify(request));
      assert.match(
        answer.body,
        /<Message>.+<\/Message><Resource>.+<\/Resource><RequestId>[0-9a-f]{20}<\/RequestId>/,
      );
      assert.equal(answer.headers['x-amz-request-id'], answer.headers['x-amz-id-2']);
    }
    await lives();
  });

  await t.test('headers at random, signed and not', async () => {
    const random = seededRandom(t);
    const pick = (list: readonly string[]): string => list[random.integer(0, list.length - 1)] ?? '';
    const names = [
      'range',
      'if-match',
      'if-none-match',
      'if-modified-since',
      'if-range',
      'content-md5',
      'content-type',
      'x-amz-tagging',
      'x-amz-copy-source',
      'x-amz-copy-source-if-match',
      'x-amz-decoded-content-length',
      'x-amz-content-sha256',
      'x-amz-trailer',
      'x-amz-checksum-crc32',
      'x-amz-metadata-directive',
      'x-amz-storage-class',
      'x-amz-date',
      'x-amz-meta-',
      'x-amz-meta-__proto__',
      'x-amz-expected-bucket-owner',
      'x-scal-request-uids',
      'authorization',
      'date',
    ];
    const values = [
      '',
      '-1',
      '0',
      '99999999999999999999',
      'bytes=0-',
      'bytes=99999999999999999999-',
      'null',
      'undefined',
      '__proto__',
      'STREAMING-AWS4-HMAC-SHA256-PAYLOAD',
      'STREAMING-UNSIGNED-PAYLOAD-TRAILER',
      'AAAA',
      '"',
      '%',
      '%ff',
      `/${Bucket}/k`,
      'Thu, 01 Jan 1970 00:00:00 GMT',
      'AWS4-HMAC-SHA256 Credential=,SignedHeaders=,Signature=',
      'x'.repeat(5000),
      '\xff\xfe',
    ];
    for (let count = 0; count < 300; count += 1) {
      const headers: Record<string, string> = {};
      for (let n = random.integer(1, 4); n > 0; n -= 1) headers[pick(names)] = pick(values);
      const method = pick(['GET', 'HEAD', 'PUT', 'POST', 'DELETE']);
      const body = method === 'PUT' || method === 'POST' ? pick(['', 'x', '5\r\nhello\r\n0\r\n\r\n']) : '';
      const path = pick(['/', `/${Bucket}`, `/${Bucket}/fuzz`, '/fuzz-bucket']);
      const request: RawRequest = {
        method,
        path,
        query:
          random.integer(0, 3) === 0 ? { [pick(['tagging', 'delete', 'x', 'prefix'])]: pick(values) } : {},
        headers: { 'content-length': String(body.length), ...headers },
        body,
      };
      const answer = random.integer(0, 4) > 0 ? await sendSigned(url, request) : await send(url, request);
      assert.ok(answer.status !== 500 && answer.status < 600, `${JSON.stringify(request)}: ${answer.body}`);
    }
    await lives();
  });

  await t.test('connections that do not speak HTTP', async () => {
    assert.match(await raw('\x16\x03\x01\x02\x00\x01\x00\x01\xfc'), /^HTTP\/1\.1 400 /);
    assert.match(await raw('GET / HTTP/1.1\r\n\r\n'), /^HTTP\/1\.1 400 /);
    assert.match(
      await raw(`GET / HTTP/1.1\r\nhost: x\r\na: ${'x'.repeat(20_000)}\r\n\r\n`),
      /RequestHeaderSectionTooLarge/,
    );
    assert.match(await raw('GET / HTTP/1.1\r\nhost: x\r\ncontent-length: abc\r\n\r\n'), /<Code>BadRequest</);
    assert.match(
      await raw('POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 1\r\ntransfer-encoding: chunked\r\n\r\n'),
      /^HTTP\/1\.1 400 /,
    );
    for (const path of ['/%', '/%ff', '/a?%', '/a?x=%c3%28', 'ftp://x/', 'http://x/%', '/a+%']) {
      const answer = await raw(`GET ${path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n`);
      assert.match(answer, /<Code>InvalidURI</, path);
    }
    await lives();
  });

  await t.test('request lines in the forms that clients send', async () => {
    for (const [target, signedPath] of [
      [`${url}/${Bucket}/whole`, `/${Bucket}/whole`],
      [`HTTP://elsewhere:1/${Bucket}/a+b%2Bc`, `/${Bucket}/a b+c`],
      [`/${Bucket}/plain+`, `/${Bucket}/plain `],
    ] as const) {
      const { headers } = await sign(url, {
        method: 'PUT',
        path: signedPath,
        headers: { 'content-length': '4', connection: 'close' },
      });
      const head = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`);
      const answer = await raw(`PUT ${target} HTTP/1.1\r\n${head.join('')}\r\nbody`);
      assert.match(answer, /^HTTP\/1\.1 200 /, answer);
      const { Body } = await s3.getObject({ Bucket, Key: signedPath.slice(Bucket.length + 2) });
      assert.equal(await Body?.transformToString(), 'body');
    }
    const query = { 'not-known-yet': '1', fbclid: 'x', 'x-amz-acl': 'private' };
    assert.equal((await sendSigned(url, { path: `/${Bucket}/whole`, query })).body, 'body');
    assert.equal((await sendSigned(url, { method: 'HEAD', path: `/${Bucket}`, query })).status, 200);
    await lives();
  });

  await t.test('clients that say nothing more are let go', async () => {
    assert.equal(await raw(''), '');
    assert.equal(await raw('GET /'), '');
    const { headers, path } = await sign(url, {
      method: 'PUT',
      path: `/${Bucket}/slow`,
      headers: { 'content-length': '10' },
    });
    const head = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`);
    assert.equal(await raw(`PUT ${path} HTTP/1.1\r\n${head.join('')}\r\nhello`), '');
    await lives();
  });

  await t.test('requests without or with wrong credentials', async () => {
    const cases: [Record<string, string>, string, number][] = [
      [{}, 'AccessDenied', 403],
      [{ authorization: 'AWS4-HMAC-SHA256 nonsense' }, 'AccessDenied', 403],
      [{ authorization: 'AWS accessKey1:c2ln' }, 'InvalidRequest', 400],
    ];
    for (const [headers, code, status] of cases) {
      const answer = await send(url, { path: `/${Bucket}`, headers });
      assert.deepEqual([answer.code, answer.status], [code, status]);
    }
    const head = await send(url, { method: 'HEAD', path: `/${Bucket}` });
    assert.deepEqual([head.status, head.body], [403, '']);
    for (const [credentials, code] of [
      [{ accessKeyId: 'accessKey2', secretAccessKey: 'verySecretKey1' }, 'InvalidAccessKeyId'],
      [{ accessKeyId: 'accessKey1', secretAccessKey: 'wrong' }, 'SignatureDoesNotMatch'],
    ] as const) {
      await assert.rejects(stack.client({ credentials }).listBuckets({}), { name: code });
    }
    const skewed = stack.client({ systemClockOffset: -20 * 60_000 });
    await assert.rejects(skewed.listBuckets({}), { name: 'RequestTimeTooSkewed' });
    await lives();
  });

  assert.doesNotMatch(stack.front.output(), /"level":(50|60)/, 'nothing was unexpected');
});
