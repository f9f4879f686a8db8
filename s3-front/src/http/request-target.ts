/** What a request line names: a bucket, a key, and parameters. Path-style only; nothing is normalised. */
import { originForm } from '@zenko-modules/common/origin-form';
import { unescapeUri } from '../auth/canonical-uri.js';
import { checkKey } from '../object-key.js';
import { S3Error } from '../s3-errors.js';

export interface RequestTarget {
  /** The path as it came. */
  readonly path: string;
  /** `undefined`: the service itself. */
  readonly bucket: string | undefined;
  /** `undefined`: the bucket itself. */
  readonly key: string | undefined;
  readonly query: Query;
  /** The host that a whole URL in the request line names, in the place of the header Host. */
  readonly authority: string | undefined;
}

/** @throws S3Error InvalidURI, KeyTooLongError, InvalidArgument */
export function parseTarget(target: string): RequestTarget {
  const { url, authority } = originForm(target) ?? {};
  if (url === undefined) {
    throw new S3Error('InvalidURI', 'The request must name a path that begins with /, or a whole URL');
  }
  const mark = url.indexOf('?');
  const path = mark < 0 ? url : url.slice(0, mark);
  // A slash that came encoded is a part of the name that it stands in.
  const slash = path.indexOf('/', 1);
  const bucket = unescapeUri(slash < 0 ? path.slice(1) : path.slice(1, slash));
  const key = unescapeUri(slash < 0 ? '' : path.slice(slash + 1));
  checkKey(key);
  return {
    path,
    bucket: bucket === '' ? undefined : bucket,
    key: key === '' ? undefined : key,
    query: new Query(mark < 0 ? '' : url.slice(mark + 1)),
    authority,
  };
}

/** The parameters after the question mark. A name may be given once only, but for the signature's sake. */
export class Query {
  readonly #values = new Map<string, string[]>();

  /** @throws S3Error InvalidURI */
  constructor(text: string) {
    for (const part of text.split('&')) {
      if (part === '') continue;
      const equals = part.indexOf('=');
      const name = unescapeUri(equals < 0 ? part : part.slice(0, equals));
      const value = unescapeUri(equals < 0 ? '' : part.slice(equals + 1));
      const values = this.#values.get(name);
      if (values) values.push(value);
      else this.#values.set(name, [value]);
    }
  }

  has(name: string): boolean {
    return this.#values.has(name);
  }

  /** @throws S3Error InvalidArgument when the parameter is given several times */
  get(name: string): string | undefined {
    const values = this.#values.get(name);
    if (values && values.length > 1) {
      throw new S3Error('InvalidArgument', `The parameter ${name} must be given once`);
    }
    return values?.[0];
  }

  names(): readonly string[] {
    return [...this.#values.keys()];
  }

  entries(): readonly (readonly [string, readonly string[]])[] {
    return [...this.#values.entries()];
  }
}
