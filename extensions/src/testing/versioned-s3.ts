/**
 * S3 with versions, in memory, as far as processors use it: s3-front serves no versions by id. Each change is
 * also told as CloudServer's record log tells it, the master and the key of the version.
 */
import { createHash } from 'node:crypto';
import http from 'node:http';
import type { TestContext } from 'node:test';
import { text as textOf } from 'node:stream/consumers';
import { listen } from '@zenko-modules/common/listen';
import { encodeVersionId } from '../framework/contract/object-event.js';
import type { LogEntry } from '../framework/contract/queue-populator-extension.js';

export interface Version {
  readonly id: string;
  readonly isMarker: boolean;
  readonly body: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly modified: Date;
  tags: Readonly<Record<string, string>>;
}

/** What stands in the way of a request. */
class Refusal extends Error {
  readonly status: number;
  constructor(status: number, code: string) {
    super(code);
    this.status = status;
  }
}

interface Answer {
  readonly status?: number;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string;
}

export class VersionedS3 {
  /** By bucket and key, newest first. */
  readonly buckets = new Map<string, Map<string, Version[]>>();
  /** What the record log has of all this. */
  readonly log: LogEntry[] = [];
  /** Called before each request; may change what is stored. */
  before: (method: string, url: string) => void = () => undefined;
  /** Whether conditions of deletions are looked at, as not every server does. */
  comparesAtDeletion = true;
  #count = 0;

  async start(t: Pick<TestContext, 'after'>): Promise<number> {
    const server = http.createServer((req, res) => {
      void textOf(req).then(body => {
        try {
          this.before(req.method ?? '', req.url ?? '');
          const { status = 200, headers = {}, body: answer = '' } = this.#answer(req, body);
          res.writeHead(status, headers).end(req.method === 'HEAD' ? undefined : answer);
        } catch (err) {
          const status = err instanceof Refusal ? err.status : 500;
          res.writeHead(status).end(`<Error><Code>${(err as Error).message}</Code></Error>`);
        }
      });
    });
    t.after(() => {
      server.close();
      server.closeAllConnections();
    });
    return listen(server, 'versioned S3', 0, '127.0.0.1');
  }

  put(bucket: string, key: string, body: string, more: Partial<Version> = {}): Version {
    const id = `9820470344434${String(9_999_999 - ++this.#count)}RG001  1`;
    const version = { id, isMarker: false, body, headers: {}, tags: {}, modified: new Date(), ...more };
    const objects = this.buckets.get(bucket) ?? new Map<string, Version[]>();
    this.buckets.set(bucket, objects.set(key, [version, ...(objects.get(key) ?? [])]));
    this.#tell(bucket, key, version, 's3:ObjectCreated:Put');
    return version;
  }

  /** The newest version, unless it is a delete marker. */
  current(bucket: string, key: string): Version | undefined {
    const [newest] = this.buckets.get(bucket)?.get(key) ?? [];
    return newest?.isMarker === true ? undefined : newest;
  }

  #tell(bucket: string, key: string, version: Version, originOp: string): void {
    const value = JSON.stringify({
      key,
      versionId: version.id,
      tags: version.tags,
      originOp,
      'content-type': version.headers['content-type'],
      ...(version.isMarker && { isDeleteMarker: true }),
    });
    for (const databaseKey of [key, `${key}\0${version.id}`])
      this.log.push({ type: 'put', bucket, key: databaseKey, value, timestamp: '' });
  }

  #answer({ method = '', url = '', headers }: http.IncomingMessage, body: string): Answer {
    const { pathname, searchParams: query } = new URL(url, 'http://s3');
    const [, bucket = '', ...rest] = pathname.split('/').map(decodeURIComponent);
    const key = rest.join('/');
    const objects = this.buckets.get(bucket);
    if (!objects) throw new Refusal(404, method === 'HEAD' ? 'NotFound' : 'NoSuchBucket');
    if (key === '') return query.has('versions') ? listVersions(objects, query.get('prefix') ?? '') : {};
    const versions = objects.get(key) ?? [];
    if (method === 'DELETE') return this.#delete(bucket, key, query.get('versionId'), headers['if-match']);
    if (typeof headers['x-amz-copy-source'] === 'string') {
      const [from, fromId] = headers['x-amz-copy-source'].split('?versionId=');
      const [fromBucket = '', ...fromKey] = decodeURIComponent(from ?? '').split('/');
      const found = this.buckets.get(fromBucket)?.get(fromKey.join('/')) ?? [];
      const source = find(found, fromId ?? null);
      // The ETag of an upload in parts is not that of its copy.
      const kept = Object.entries(source.headers).filter(([name]) => name !== 'etag');
      const copy = this.put(bucket, key, source.body, {
        tags: source.tags,
        headers: Object.fromEntries(kept),
      });
      return { body: `<CopyObjectResult><ETag>${etagOf(copy)}</ETag></CopyObjectResult>` };
    }
    const version = find(versions, query.get('versionId'));
    if (query.has('tagging') && method === 'PUT') {
      const pairs = [...body.matchAll(/<Key>(.*?)<\/Key><Value>(.*?)<\/Value>/g)];
      version.tags = Object.fromEntries(pairs.map(([, name = '', value = '']) => [name, value]));
      this.#tell(bucket, key, version, 's3:ObjectTagging:Put');
      return {};
    }
    if (query.has('tagging')) {
      const tags = Object.entries(version.tags).map(
        ([name, value]) => `<Tag><Key>${name}</Key><Value>${value}</Value></Tag>`,
      );
      return { body: `<Tagging><TagSet>${tags.join('')}</TagSet></Tagging>` };
    }
    return {
      headers: {
        etag: etagOf(version),
        'content-length': String(Buffer.byteLength(version.body)),
        'last-modified': version.modified.toUTCString(),
        'x-amz-version-id': encodeVersionId(version.id),
        ...version.headers,
      },
      body: version.body,
    };
  }

  #delete(bucket: string, key: string, versionId: string | null, ifMatch: string | undefined): Answer {
    const versions = this.buckets.get(bucket)?.get(key) ?? [];
    const current = this.current(bucket, key);
    if (this.comparesAtDeletion && ifMatch !== undefined && (!current || etagOf(current) !== ifMatch)) {
      throw new Refusal(412, 'PreconditionFailed');
    }
    if (versionId !== null) {
      const left = versions.filter(({ id }) => encodeVersionId(id) !== versionId);
      this.buckets.get(bucket)?.set(key, left);
      return { status: 204 };
    }
    const marker = this.put(bucket, key, '', { isMarker: true });
    return {
      status: 204,
      headers: { 'x-amz-delete-marker': 'true', 'x-amz-version-id': encodeVersionId(marker.id) },
    };
  }
}

function find(versions: readonly Version[], versionId: string | null): Version {
  const found =
    versionId === null ? versions[0] : versions.find(({ id }) => encodeVersionId(id) === versionId);
  if (!found || found.isMarker) throw new Refusal(404, versionId === null ? 'NoSuchKey' : 'NoSuchVersion');
  return found;
}

function listVersions(objects: ReadonlyMap<string, readonly Version[]>, prefix: string): Answer {
  const names = [...objects.keys()].filter(name => name.startsWith(prefix)).sort();
  const items = names.flatMap(name =>
    (objects.get(name) ?? []).map(({ id, isMarker }) => {
      const kind = isMarker ? 'DeleteMarker' : 'Version';
      return `<${kind}><Key>${name}</Key><VersionId>${encodeVersionId(id)}</VersionId></${kind}>`;
    }),
  );
  return { body: `<ListVersionsResult>${items.join('')}</ListVersionsResult>` };
}

function etagOf({ body, headers }: Version): string {
  return headers.etag ?? `"${createHash('md5').update(body).digest('hex')}"`;
}
