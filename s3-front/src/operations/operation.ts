/** What an operation gets and gives: a request whose sender is known, and the answer to it. */
import type { IncomingHttpHeaders, IncomingMessage } from 'node:http';
import type { Logger } from '@zenko-modules/common/logger';
import type { Account } from '../account.js';
import type { Authentication } from '../auth/authenticate.js';
import type { Keys } from '../auth/keys.js';
import type { ChecksumName } from '../body/checksums.js';
import type { RequestBody } from '../body/request-body.js';
import type { ByteSource } from '../byte-source.js';
import type { DataClient } from '../data-client.js';
import type { FrontSettings } from '../front-settings.js';
import type { Query } from '../http/request-target.js';
import type { KeyedLocks } from '../keyed-locks.js';
import type { MetadataClient } from '../metadata-client.js';
import type { ReplacedData } from '../replaced-data.js';

/** What all requests share. */
export interface Front {
  readonly settings: FrontSettings;
  readonly keys: Keys;
  readonly metadata: MetadataClient;
  readonly data: DataClient;
  readonly replaced: ReplacedData;
  /** `<bucket>`: shared by who writes objects, exclusive for who makes or deletes it; `<bucket>/<key>`: one writer. */
  readonly locks: KeyedLocks;
}

export interface S3Request {
  readonly method: string;
  readonly bucket: string;
  readonly key: string;
  readonly query: Query;
  readonly headers: IncomingHttpHeaders;
  readonly message: IncomingMessage;
  readonly authentication: Authentication;
  /** Whose key signed it. */
  readonly account: Account;
  /** Follows the request into the modules' logs. */
  readonly reqUids: string;
  readonly log: Logger;
  /**
   * Opens the body.
   * @param compute a checksum to compute, whether the client sends it or not
   * @throws S3Error when what is announced about it is not valid
   */
  readonly body: (compute?: ChecksumName) => RequestBody;
}

export interface S3Response {
  readonly status: number;
  readonly headers?: Readonly<Record<string, string>>;
  /** A text, or bytes whose number `headers` tell. */
  readonly body?: string | ByteSource;
}

/** Answers a request; errors are thrown. */
export type Operation = (front: Front, request: S3Request) => Promise<S3Response>;

export function xmlResponse(body: string): S3Response {
  return { status: 200, headers: { 'content-type': 'application/xml' }, body };
}
