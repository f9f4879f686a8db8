/** HTTP bytes into s3-front, which has both modules behind it. */
import type { Random } from '@zenko-modules/common/testing/random';
import { temporaryFolder } from '@zenko-modules/common/testing/temporary-folder';
import { sendSigned, sign } from '@zenko-modules/s3-front/testing/raw-request';
import { chance, pick, randomBytes } from '../choose.js';
import { chunked, requestBytes, tryHttp } from '../http-cases.js';
import { Finding, type Target } from '../target.js';
import { WatchedDaemon } from '../watched-daemon.js';

const BUCKET = 'fuzz-bucket';
const KEPT = '/kept-bucket';
const MAX_MEMORY_BYTES = 512 * 1024 * 1024;

export const s3Http: Target = {
  name: 's3-http',
  about: 'HTTP bytes into s3-front: signed, chunked, pipelined',
  open: async (owner, options) => {
    const DATA_DIR = await temporaryFolder(owner);
    const quiet = { DATA_DIR, LOG_LEVEL: 'error', DATA_WORKERS: '1' };
    const start = (room: string, env: Readonly<Record<string, string>>, probe: () => Promise<void>) =>
      WatchedDaemon.start(
        owner,
        {
          entry: `${room}/dist/main.js`,
          env: { ...quiet, ...env },
          maxMemoryBytes: MAX_MEMORY_BYTES,
          probe,
        },
        options,
      );
    const nothing = (): Promise<void> => Promise.resolve();
    const data = await start('data-module', { DATA_PORT: '0', DATA_PROBE_PORT: '0' }, nothing);
    const metadata = await start(
      'metadata-module',
      { METADATA_PORT: '0', METADATA_PROBE_PORT: '0' },
      nothing,
    );
    let url = '';
    const ports = {
      DATA_PORT: String(data.ports.DATA_PORT),
      METADATA_PORT: String(metadata.ports.METADATA_PORT),
    };
    const front = await start('s3-front', { ...ports, S3_PORT: '0', S3_PROBE_PORT: '0' }, async () => {
      const { status, body } = await sendSigned(url, { path: `${KEPT}/kept` });
      if (status !== 200 || body !== 'kept') throw new Finding(`the good object came as ${status} ${body}`);
    });
    const port = front.ports.S3_PORT ?? 0;
    url = `http://127.0.0.1:${port}`;
    for (const path of [`/${BUCKET}`, KEPT, `${KEPT}/kept`]) {
      await sendSigned(url, { method: 'PUT', path, body: path.endsWith('/kept') ? 'kept' : '' });
    }
    return {
      tryOne: async random => {
        await tryHttp(random, { port, validRequest: () => validRequest(random, url) });
        for (const daemon of [front, data, metadata]) await daemon.check();
      },
    };
  },
};

const QUERIES: readonly Readonly<Record<string, string>>[] = [
  {},
  { uploads: '' },
  { tagging: '' },
  { versioning: '' },
  { versions: '', 'max-keys': '2' },
  { 'list-type': '2', prefix: 'a', delimiter: '/' },
  { 'list-type': '2', 'continuation-token': 'bm90IG9uZQ==' },
  { 'list-type': '2', 'max-keys': '-1' },
  { delete: '' },
  { acl: '' },
  { uploadId: 'nothing', partNumber: '1' },
  { partNumber: '99999', uploadId: '' },
  { versionId: 'null' },
  { versionId: '\u0000' },
  { marker: '\ud83d\ude00', 'encoding-type': 'url' },
  { attributes: '' },
];

const HEADERS: readonly Readonly<Record<string, string>>[] = [
  {},
  { range: 'bytes=1-2' },
  { range: 'bytes=9-1' },
  { 'if-match': '"x"' },
  { 'if-modified-since': 'never' },
  { 'x-amz-copy-source': `${KEPT}/kept` },
  { 'x-amz-copy-source': '%E0%A4%A' },
  { 'x-amz-tagging': 'a=b&a=c' },
  { 'x-amz-meta-a': 'b' },
  { 'x-amz-checksum-crc32': 'AAAAAA==' },
  { 'x-amz-decoded-content-length': '7' },
  { 'content-md5': 'no' },
  { 'x-amz-object-attributes': 'ETag,ObjectParts' },
];

const BODIES: readonly string[] = [
  '',
  'some bytes',
  '<Delete><Object><Key>a</Key></Object></Delete>',
  '<Delete>'.repeat(500),
  '<Tagging><TagSet><Tag><Key>a</Key><Value>b</Value></Tag></TagSet></Tagging>',
  '<CompleteMultipartUpload><Part><PartNumber>1</PartNumber><ETag>x</ETag></Part></CompleteMultipartUpload>',
  '<VersioningConfiguration><Status>Suspended</Status></VersioningConfiguration>',
  '<!DOCTYPE a [<!ENTITY b "c">]><Tagging>&b;</Tagging>',
  '<CreateBucketConfiguration><LocationConstraint>&#0;</LocationConstraint></CreateBucketConfiguration>',
];

async function validRequest(random: Random, url: string): Promise<Buffer> {
  const plain = pick(random, BODIES);
  const isStreamed = chance(random, 30);
  const body = isStreamed ? awsChunked(random, Buffer.from(plain)) : Buffer.from(plain);
  const method = pick(random, ['GET', 'PUT', 'PUT', 'POST', 'HEAD', 'DELETE']);
  const key = pick(random, ['', '/a', '/b/c', '/%', '/\u00e4\u2028', `/${'k'.repeat(1100)}`]);
  // Nothing but reads of what the probe looks at.
  const isRead = method === 'GET' || method === 'HEAD';
  const path = `${isRead && chance(random, 20) ? KEPT : `/${BUCKET}`}${key}`;
  const streamed = {
    'x-amz-content-sha256': pick(random, [
      'STREAMING-UNSIGNED-PAYLOAD-TRAILER',
      'STREAMING-AWS4-HMAC-SHA256-PAYLOAD',
      'STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER',
    ]),
    'x-amz-decoded-content-length': String(plain.length),
    'content-encoding': 'aws-chunked',
    'x-amz-trailer': 'x-amz-checksum-crc32',
  };
  const signed = await sign(url, {
    method,
    path,
    query: pick(random, QUERIES),
    headers: { ...pick(random, HEADERS), ...(isStreamed && streamed) },
  });
  const isChunked = chance(random, 20);
  const length = isChunked ? { 'transfer-encoding': 'chunked' } : { 'content-length': body.length };
  return requestBytes({
    method,
    path: signed.path,
    headers: { ...signed.headers, ...length },
    body: isChunked ? chunked(random, body) : body,
  });
}

/** With signatures that are none: what is wrong with one is found while the body comes. */
function awsChunked(random: Random, body: Buffer): Buffer {
  const signature = chance(random, 50) ? `;chunk-signature=${randomBytes(random, 32).toString('hex')}` : '';
  const chunk = (bytes: Buffer): Buffer[] => [
    Buffer.from(`${bytes.length.toString(16)}${signature}\r\n`),
    bytes,
    Buffer.from('\r\n'),
  ];
  const trailer = pick(random, ['', 'x-amz-checksum-crc32:AAAAAA==\r\n', 'x-amz-checksum-crc32:\r\n']);
  return Buffer.concat([
    ...(body.length > 0 ? chunk(body) : []),
    Buffer.from(`0${signature}\r\n${trailer}\r\n`),
  ]);
}
