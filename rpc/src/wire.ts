/** What travels over the socket.io RPC of port 9990. Facts of CloudServer's own client and daemon. */
import { CatalogueError, ERRORS, type ErrorType, toCatalogueError } from '@zenko-modules/common/errors';

export const METADATA_NAMESPACE = '/MDFile/metadata';
export const RECORD_LOG_NAMESPACE = '/MDFile/recordLog';

/** `maxHttpBufferSize` of CloudServer's daemon: the largest message of either side. */
export const MAX_MESSAGE_BYTES = 100 * 1024 * 1024;
/** A stream has at most this many unacknowledged `stream-data` messages on the way. */
export const STREAM_MESSAGES_IN_FLIGHT = 4;
/** A stream whose client does not acknowledge for this long is ended with `stream-error`. */
export const STREAM_ACK_TIMEOUT_MS = 5000;
/** How long a client waits for the answer to a call. */
export const CALL_TIMEOUT_MS = 30_000;

/** The second argument of a `call` event. */
export interface CallArguments {
  readonly rpcArgs: readonly unknown[];
  /** Ids of the request that caused the call, outermost first, joined by `:`. */
  readonly reqUids?: string;
  /** The database: `[name]`, nested names one after the other, `[]` for the root. */
  readonly subLevel?: readonly string[];
  /** Record log calls: the log's name. */
  readonly logName?: string;
}

/** Stands in a result where the other side finds a stream. */
export interface StreamReference {
  readonly $streamId: string;
  readonly readable: true;
  readonly writable: false;
}

export interface StreamData {
  readonly streamId: string;
  readonly data: readonly unknown[];
}

export interface StreamEnd {
  readonly streamId: string;
}

export interface StreamFailure {
  readonly streamId: string;
  readonly error: WireError;
}

export interface Manifest {
  readonly apiVersion: string;
  readonly api: readonly { readonly name: string }[];
}

/** An error as it is sent: flat. Clients before Arsenal 8 test `err.<type>`, so that is there as well. */
export interface WireError {
  readonly is_arsenal_error: true;
  readonly type: string;
  readonly message: string;
  readonly code: number;
  readonly description: string;
  readonly stack?: string | undefined;
  readonly [flag: string]: unknown;
}

export function toWireError(err: unknown): WireError {
  const known = toCatalogueError(err);
  return {
    is_arsenal_error: true,
    type: known.type,
    message: known.type,
    code: known.code,
    description: known.message,
    stack: known.stack,
    [known.type]: true,
  };
}

/** The error that a `WireError` stands for. What is not of our catalogue becomes `InternalError`. */
export function fromWireError(wire: unknown): CatalogueError {
  const { type, description } = (typeof wire === 'object' && wire !== null ? wire : {}) as Partial<WireError>;
  if (typeof type === 'string' && Object.hasOwn(ERRORS, type)) {
    return new CatalogueError(type as ErrorType, description);
  }
  return new CatalogueError('InternalError', `the module answered ${JSON.stringify(wire)}`);
}

export function isStreamReference(value: unknown): value is StreamReference {
  return (
    typeof value === 'object' && value !== null && typeof (value as StreamReference).$streamId === 'string'
  );
}
