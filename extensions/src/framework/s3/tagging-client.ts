/**
 * Reads and writes the tags of objects. These are the same requests as the SDK's commands make, by the SDK's own
 * lower layers; what the commands do around them costs several times as much processor time as the request.
 */
import { createHash } from 'node:crypto';
import type { Readable } from 'node:stream';
import { S3ServiceException, type S3Client } from '@aws-sdk/client-s3';
import { parseXML, XmlNode } from '@aws-sdk/xml-builder';
import { HttpRequest, type HttpResponse } from '@smithy/protocol-http';
import { SignatureV4 } from '@smithy/signature-v4';

/** Ten tags, each character of which is written as an entity, need less. */
const MAX_ANSWER_BYTES = 256 * 1024;
/** S3 refuses requests whose clock differs from its own by more than a quarter of an hour. */
const MAX_SKEW_MS = 5 * 60_000;
const NAMESPACE = 'http://s3.amazonaws.com/doc/2006-03-01/';

export interface Tag {
  readonly Key: string;
  readonly Value: string;
}

export interface TaggedObject {
  readonly Bucket: string;
  readonly Key: string;
  readonly VersionId?: string;
}

/** An answer that names no error may be another server's: a 404 of that kind says nothing of the object. */
const NAMELESS = 'Unknown';

export interface RequestOptions {
  readonly abortSignal: AbortSignal;
}

/** Rejects as the client's commands do: with an `S3ServiceException` of the name that S3 answered, or with the network's error. */
export class TaggingClient {
  readonly #client: S3Client;
  readonly #signer: SignatureV4;
  /** How far the clock of S3 is ahead of ours. */
  #skewMs = 0;

  /** @param client whose endpoint, credentials, connections and deadlines are used; its owner closes it. */
  constructor(client: S3Client) {
    this.#client = client;
    const { credentials, region, sha256 } = client.config;
    this.#signer = new SignatureV4({ credentials, region, sha256, service: 's3', uriEscapePath: false });
  }

  /** The object's tags. Rejects when the answer is no list of tags: what is not understood must not be replaced. */
  async get(object: TaggedObject, options: RequestOptions): Promise<readonly Tag[]> {
    const { response, text } = await this.#send('GET', object, undefined, options);
    const tags = tagsIn(text);
    if (tags) return tags;
    throw failure(response, 'InvalidResponse', 'S3 answered with something else than a list of tags');
  }

  /** Replaces all tags of the object. */
  async put(object: TaggedObject, tags: readonly Tag[], options: RequestOptions): Promise<void> {
    await this.#send('PUT', object, taggingXml(tags), options);
  }

  async #send(
    method: 'GET' | 'PUT',
    { Bucket, Key, VersionId }: TaggedObject,
    body: string | undefined,
    { abortSignal }: RequestOptions,
  ): Promise<{ response: HttpResponse; text: string }> {
    const { config } = this.#client;
    const endpoint = await config.endpoint?.();
    if (!endpoint) throw new Error('the S3 client has no endpoint');
    const { protocol, hostname, port } = endpoint;
    const request = new HttpRequest({
      method,
      protocol,
      hostname,
      ...(port !== undefined && { port }),
      path: `/${encode(Bucket)}/${Key.split('/').map(encode).join('/')}`,
      query: { tagging: '', ...(VersionId !== undefined && { versionId: VersionId }) },
      headers: {
        host: port === undefined ? hostname : `${hostname}:${port}`,
        ...(body !== undefined && {
          'content-type': 'application/xml',
          'content-length': String(Buffer.byteLength(body)),
          'content-md5': createHash('md5').update(body).digest('base64'),
        }),
      },
      body,
    });
    const signed = await this.#signer.sign(request, { signingDate: new Date(Date.now() + this.#skewMs) });
    const { response } = (await config.requestHandler.handle(new HttpRequest(signed), { abortSignal })) as {
      readonly response: HttpResponse;
    };
    this.#followClock(response);
    const text = await readText(response.body as Readable);
    if (response.statusCode >= 200 && response.statusCode < 300) return { response, text };
    throw failureIn(response, text);
  }

  /** Signs by the clock of S3 when ours is wrong, as the SDK does. */
  #followClock({ headers }: HttpResponse): void {
    const ahead = Date.parse(headers.date ?? '') - Date.now();
    if (Math.abs(ahead - this.#skewMs) >= MAX_SKEW_MS) this.#skewMs = ahead;
  }
}

/** As S3 has it in the signed path: everything but letters, digits and `-._~`. */
function encode(text: string): string {
  return encodeURIComponent(text).replace(
    /[!'()*]/g,
    char => `%${char.charCodeAt(0).toString(16).toUpperCase()}`,
  );
}

function taggingXml(tags: readonly Tag[]): string {
  const set = new XmlNode('TagSet');
  for (const { Key, Value } of tags)
    set.c(new XmlNode('Tag', [XmlNode.of('Key', Key), XmlNode.of('Value', Value)]));
  return `<?xml version="1.0" encoding="UTF-8"?>${new XmlNode('Tagging', [set]).a('xmlns', NAMESPACE).toString()}`;
}

function tagsIn(text: string): readonly Tag[] | undefined {
  const set = childOf(childOf(parse(text), 'Tagging'), 'TagSet');
  if (set === undefined || (typeof set === 'string' && set.trim() !== '')) return undefined;
  const found = childOf(set, 'Tag') ?? [];
  const tags: Tag[] = [];
  for (const tag of Array.isArray(found) ? (found as unknown[]) : [found]) {
    const [Key, Value] = [childOf(tag, 'Key'), childOf(tag, 'Value')];
    if (typeof Key !== 'string' || typeof Value !== 'string') return undefined;
    tags.push({ Key, Value });
  }
  return tags;
}

function failureIn(response: HttpResponse, text: string): S3ServiceException {
  const error = childOf(parse(text), 'Error');
  const [code, message] = [childOf(error, 'Code'), childOf(error, 'Message')];
  return failure(
    response,
    typeof code === 'string' && code !== '' ? code : NAMELESS,
    typeof message === 'string' && message !== '' ? message : `S3 answered ${response.statusCode}`,
  );
}

function failure({ statusCode, headers }: HttpResponse, name: string, message: string): S3ServiceException {
  const requestId = headers['x-amz-request-id'];
  return new S3ServiceException({
    name,
    message,
    $fault: statusCode < 500 ? 'client' : 'server',
    $metadata: { httpStatusCode: statusCode, ...(requestId !== undefined && { requestId }) },
  });
}

/** The document's elements by name; `undefined` when it is no XML. */
function parse(text: string): unknown {
  try {
    return parseXML(text) as unknown;
  } catch {
    return undefined;
  }
}

function childOf(element: unknown, name: string): unknown {
  if (typeof element !== 'object' || element === null || !Object.hasOwn(element, name)) return undefined;
  return (element as Readonly<Record<string, unknown>>)[name];
}

/** @throws Error when it is longer than any answer may be, or is cut off. */
function readText(body: Readable): Promise<string> {
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = [];
    let bytes = 0;
    body.on('data', (chunk: Buffer) => {
      chunks.push(chunk);
      bytes += chunk.length;
      if (bytes > MAX_ANSWER_BYTES) body.destroy(new Error('the answer of S3 is larger than it may be'));
    });
    body.on('end', () => resolve(Buffer.concat(chunks).toString('utf8')));
    body.on('error', reject);
  });
}
