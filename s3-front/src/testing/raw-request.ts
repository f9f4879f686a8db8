/** Requests that no SDK would send, signed or not. */
import http from 'node:http';
import { Sha256 } from '@aws-crypto/sha256-js';
import { HttpRequest } from '@smithy/protocol-http';
import { SignatureV4 } from '@smithy/signature-v4';
import { escapeUriPath } from '../auth/canonical-uri.js';
import { CREDENTIALS } from './s3-stack.js';

/** Signs paths as they are given. */
export const SIGNER = new SignatureV4({
  service: 's3',
  region: 'us-east-1',
  sha256: Sha256,
  uriEscapePath: false,
  credentials: CREDENTIALS,
});

export interface RawRequest {
  readonly method?: string;
  /** Not encoded. */
  readonly path: string;
  readonly query?: Readonly<Record<string, string>>;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string | Buffer;
}

export interface RawAnswer {
  readonly status: number;
  readonly headers: http.IncomingHttpHeaders;
  readonly body: string;
  /** The code of an S3 error. */
  readonly code: string | undefined;
}

/** Signs `request` for the endpoint `url` and sends it. Its payload is unsigned unless a header says otherwise. */
export async function sendSigned(url: string, request: RawRequest): Promise<RawAnswer> {
  const { headers, path } = await sign(url, request);
  return send(url, { ...request, path, headers });
}

/** The headers of a request with its signature, and its path as it goes on the wire. */
export async function sign(
  url: string,
  { method = 'GET', path, query = {}, headers = {} }: RawRequest,
): Promise<{ headers: Record<string, string>; path: string }> {
  const signed = await SIGNER.sign(
    new HttpRequest({
      method,
      path: escapeUriPath(path),
      query: { ...query },
      headers: { host: new URL(url).host, 'x-amz-content-sha256': 'UNSIGNED-PAYLOAD', ...headers },
    }),
  );
  const search = new URLSearchParams(query).toString().replaceAll('+', '%20');
  return { headers: { ...signed.headers }, path: escapeUriPath(path) + (search === '' ? '' : `?${search}`) };
}

/** Sends a request as it is; `path` is what goes on the wire. */
export function send(
  url: string,
  { method = 'GET', path, headers = {}, body = '' }: RawRequest,
): Promise<RawAnswer> {
  return new Promise((resolve, reject) => {
    const { hostname, port } = new URL(url);
    const request = http.request({ hostname, port, method, path, headers, agent: false }, response => {
      const parts: Buffer[] = [];
      response.on('data', (part: Buffer) => parts.push(part));
      response.on('error', reject);
      response.on('end', () => {
        const text = Buffer.concat(parts).toString();
        resolve({
          status: response.statusCode ?? 0,
          headers: response.headers,
          body: text,
          code: /<Code>(\w+)<\/Code>/.exec(text)?.[1],
        });
      });
    });
    request.on('error', reject);
    request.end(body);
  });
}
