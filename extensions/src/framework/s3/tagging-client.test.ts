import assert from 'node:assert/strict';
import http from 'node:http';
import test, { type TestContext } from 'node:test';
import { GetObjectTaggingCommand, PutObjectTaggingCommand } from '@aws-sdk/client-s3';
import { listen } from '@zenko-modules/common/listen';
import { freePort } from '@zenko-modules/common/testing/test-server';
import { failureKind } from '../processor/failures.js';
import { createS3Client } from './s3-client.js';
import { type Tag, TaggingClient } from './tagging-client.js';

const OBJECT = { Bucket: 'photos', Key: 'helloworld' };
const NO_TAGS = '<Tagging><TagSet/></Tagging>';

interface Answer {
  readonly status: number;
  readonly body?: string;
  readonly headers?: Readonly<Record<string, string>>;
}

interface Asked {
  readonly method: string | undefined;
  readonly url: string | undefined;
  readonly headers: http.IncomingHttpHeaders;
  readonly body: string;
}

/** An endpoint that answers so; the SDK's own way to ask it beside ours. */
async function setUp(t: TestContext, answer: (req: http.IncomingMessage, res: http.ServerResponse) => void) {
  const asked: Asked[] = [];
  const server = http.createServer((req, res) => {
    let body = '';
    req.on('data', chunk => (body += String(chunk)));
    req.on('end', () => {
      asked.push({ method: req.method, url: req.url, headers: req.headers, body });
      answer(req, res);
    });
  });
  const port = await listen(server, 'S3', 0, '127.0.0.1');
  t.after(() => {
    server.close();
    server.closeAllConnections();
  });
  return { asked, ...clientsOf(t, port) };
}

function clientsOf(t: TestContext, port: number) {
  const keys = { accessKeyId: 'a', secretAccessKey: 's' };
  const sdk = createS3Client({
    endpoint: `http://127.0.0.1:${port}`,
    credentials: { source: 'the test', current: () => Promise.resolve({ ...keys }) },
  });
  t.after(() => sdk.destroy());
  return { keys, sdk, tagging: new TaggingClient(sdk) };
}

const always =
  ({ status, body = '', headers = {} }: Answer) =>
  (_req: http.IncomingMessage, res: http.ServerResponse): void =>
    void res.writeHead(status, headers).end(body);

const live = (): { abortSignal: AbortSignal } => ({ abortSignal: new AbortController().signal });
const rejection = (work: Promise<unknown>): Promise<unknown> =>
  work.then(
    () => assert.fail('it did not reject'),
    (err: unknown) => err,
  );
const traits = (err: unknown) => {
  const { name, $metadata } = err as { name: string; $metadata?: { httpStatusCode?: number } };
  return { name, status: $metadata?.httpStatusCode, kind: failureKind(err) };
};

const errorBody = (code: string): string =>
  `<?xml version="1.0" encoding="UTF-8"?>\n<Error><Code>${code}</Code><Message>so it is</Message></Error>`;
const refusals: Answer[] = [
  ...['NoSuchKey', 'NoSuchBucket', 'NoSuchVersion'].map(code => ({ status: 404, body: errorBody(code) })),
  { status: 405, body: errorBody('MethodNotAllowed') },
  ...['AccessDenied', 'InvalidAccessKeyId', 'SignatureDoesNotMatch'].map(code => ({
    status: 403,
    body: errorBody(code),
  })),
  { status: 400, body: errorBody('InvalidTag') },
  { status: 503, body: errorBody('SlowDown') },
  { status: 500, body: errorBody('InternalError') },
  { status: 501, body: errorBody('NotImplemented') },
  ...[403, 429, 500, 503].map(status => ({ status })),
];
for (const answer of refusals) {
  const name = /<Code>(.*)<\/Code>/.exec(answer.body ?? '')?.[1] ?? 'no body';
  test(`${answer.status} with ${name} is what it is to the SDK's commands`, async t => {
    const { sdk, tagging } = await setUp(t, always(answer));
    const Tagging = { TagSet: [{ Key: 'a', Value: 'b' }] };
    const ofSdk = await rejection(sdk.send(new GetObjectTaggingCommand(OBJECT)));
    assert.deepEqual(traits(await rejection(tagging.get(OBJECT, live()))), traits(ofSdk));
    const putBySdk = await rejection(sdk.send(new PutObjectTaggingCommand({ ...OBJECT, Tagging })));
    assert.deepEqual(traits(await rejection(tagging.put(OBJECT, Tagging.TagSet, live()))), traits(putBySdk));
  });
}

test('a 404 that names no error says nothing of the object', async t => {
  for (const body of ['', 'this port speaks socket.io\n', '<html></html>']) {
    const { tagging } = await setUp(t, always({ status: 404, body }));
    assert.equal(failureKind(await rejection(tagging.get(OBJECT, live()))), 'unavailable', body);
  }
});

test("a proxy's page for 502 is S3 being away", async t => {
  const { tagging } = await setUp(t, always({ status: 502, body: '<html><br>Bad gateway</html>' }));
  const err = await rejection(tagging.get(OBJECT, live()));
  assert.deepEqual(traits(err), { name: 'Unknown', status: 502, kind: 'unavailable' });
});

test('where nobody listens, and where the connection is cut, S3 is away', async t => {
  const nobody = clientsOf(t, await freePort()).tagging;
  assert.equal(failureKind(await rejection(nobody.get(OBJECT, live()))), 'unavailable');
  const { tagging: cut } = await setUp(t, req => req.socket.destroy());
  assert.equal(failureKind(await rejection(cut.put(OBJECT, [], live()))), 'unavailable');
  const { tagging: half } = await setUp(t, (_req, res) => {
    res.writeHead(200, { 'content-length': '1000' }).write(NO_TAGS, () => res.destroy());
  });
  assert.equal(failureKind(await rejection(half.get(OBJECT, live()))), 'unavailable');
});

const keys = [
  'helloworld',
  '/leading//double/',
  'a/../b/./c',
  'per%cent %2F+plus',
  "!'()*-._~",
  '?query#fragment&a=b',
  'grüße/日本/😀',
  'line\nbreak\ttab\\',
];
for (const Key of keys) {
  test(`the request for ${JSON.stringify(Key)} is the SDK's`, async t => {
    const { asked, sdk, tagging } = await setUp(t, always({ status: 200, body: NO_TAGS }));
    const object = { Bucket: 'photos', Key, VersionId: '393 8+/' };
    const TagSet = [{ Key: 'a<&>"\'', Value: ' b\r\n]]> ' }];
    await sdk.send(new GetObjectTaggingCommand(object));
    await tagging.get(object, live());
    await sdk.send(new PutObjectTaggingCommand({ ...object, Tagging: { TagSet } }));
    await tagging.put(object, TagSet, live());
    const [got, ours, put, oursPut] = asked.map(({ method, url, headers, body }) => {
      return { method, url: parts(url), host: headers.host, type: headers['content-type'], body };
    });
    assert.deepEqual(ours, got);
    assert.deepEqual(oursPut, put);
  });
}

/** The order of the query's parts means nothing. */
function parts(url = ''): string[] {
  const [path = '', query = ''] = url.split('?');
  return [path, ...query.split('&').sort()];
}

test('tags are read as they are', async t => {
  let body = '';
  const { tagging } = await setUp(t, (_req, res) => void res.end(body));
  const one = (key: string, value: string): string => `<Tag><Key>${key}</Key><Value>${value}</Value></Tag>`;
  const cases: [string, Tag[]][] = [
    ['', []],
    [one('a', 'b'), [{ Key: 'a', Value: 'b' }]],
    [
      `\n  ${one('1', '')}\n  ${one('__proto__', ' x &amp; &lt;y&gt; &#x263A; ')}\n`,
      [
        { Key: '1', Value: '' },
        { Key: '__proto__', Value: ' x & <y> ☺ ' },
      ],
    ],
  ];
  for (const [tags, expected] of cases) {
    body = `<?xml version="1.0"?>\n<Tagging xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><TagSet>${tags}</TagSet></Tagging>`;
    assert.deepEqual(await tagging.get(OBJECT, live()), expected);
  }
});

test('an answer that is no list of tags is not taken for one without any', async t => {
  let body = '';
  const { tagging } = await setUp(t, (_req, res) => void res.end(body));
  for (body of [
    '',
    'well',
    '<html/>',
    '<Tagging/>',
    '<Tagging><TagSet>well</TagSet></Tagging>',
    '<Tagging><TagSet><Tag><Key>a</Key></Tag></TagSet></Tagging>',
    '<Tagging><TagSet><Tag><Key><b/></Key><Value>c</Value></Tag></TagSet></Tagging>',
    '<Tagging><TagSet><Tag>',
    errorBody('InternalError'),
  ]) {
    const err = await rejection(tagging.get(OBJECT, live()));
    assert.deepEqual(traits(err), { name: 'InvalidResponse', status: 200, kind: 'other' }, body);
  }
});

test('an answer without end is not read to its end', async t => {
  let sent = 0;
  const { tagging } = await setUp(t, (_req, res) => {
    const more = (err?: Error | null): void => {
      sent += 65_536;
      // Node.js 24 says so for ever, and tells of nothing else meanwhile.
      if (!err && !res.destroyed) res.write(' '.repeat(65_536), more);
    };
    more();
  });
  await assert.rejects(tagging.get(OBJECT, live()), /larger than it may be/);
  assert.ok(sent < 64 * 2 ** 20);
});

test('an abort ends the request, before and within the answer', async t => {
  const abort = new AbortController();
  const within = await setUp(t, (_req, res) => {
    res.writeHead(200).write('<Tagging>', () => abort.abort());
  });
  await assert.rejects(within.tagging.get(OBJECT, { abortSignal: abort.signal }));
  await assert.rejects(within.tagging.get(OBJECT, { abortSignal: abort.signal }), { name: 'AbortError' });
  assert.equal(within.asked.length, 1);
});

test('it signs by the clock of S3 when that is another', async t => {
  const date = new Date(Date.now() + 3_600_000);
  const { asked, tagging } = await setUp(
    t,
    always({ status: 200, body: NO_TAGS, headers: { date: date.toUTCString() } }),
  );
  await tagging.get(OBJECT, live());
  await tagging.get(OBJECT, live());
  const signedAt = (asked[1]?.headers['x-amz-date'] as string).slice(0, 11);
  assert.equal(signedAt, date.toISOString().replace(/[-:]/g, '').slice(0, 11));
});

test('keys that change are used from the next request on', async t => {
  const { asked, keys, tagging } = await setUp(t, always({ status: 200, body: NO_TAGS }));
  await tagging.get(OBJECT, live());
  keys.accessKeyId = 'b';
  await tagging.get(OBJECT, live());
  const used = asked.map(({ headers }) => /Credential=(.*?)\//.exec(headers.authorization ?? '')?.[1]);
  assert.deepEqual(used, ['a', 'b']);
});
