/** Takes apart what arrives as a `call` event. Nothing about it is certain. */
import { CatalogueError } from '@zenko-modules/common/errors';
import { approximateBytes } from './approximate-bytes.js';
import type { CallArguments } from './wire.js';

/** No more of a client's text than this goes into a log or an answer. */
export const MAX_QUOTED = 256;
/** What a call takes in memory besides its arguments. */
const CALL_BYTES = 4096;

export interface IncomingCall {
  readonly args: readonly unknown[];
  readonly subLevel: unknown;
  readonly logName: unknown;
  readonly reqUids: string | undefined;
  /** About what the call takes in memory while it is worked on. */
  readonly bytes: number;
}

/** @throws CatalogueError InvalidArgument when the arguments are not the object that the protocol wants. */
export function readCall(args: unknown): IncomingCall {
  if (args !== undefined && (typeof args !== 'object' || args === null || Array.isArray(args))) {
    throw new CatalogueError('InvalidArgument', 'the arguments must be an object with rpcArgs');
  }
  const member = (name: keyof CallArguments): unknown => memberOf(args, name) ?? undefined;
  const rpcArgs = member('rpcArgs') ?? [];
  if (!Array.isArray(rpcArgs)) throw new CatalogueError('InvalidArgument', 'rpcArgs must be an array');
  const reqUids = member('reqUids');
  return {
    args: rpcArgs,
    subLevel: member('subLevel'),
    logName: member('logName'),
    reqUids: typeof reqUids === 'string' ? reqUids.slice(0, MAX_QUOTED) : undefined,
    bytes: CALL_BYTES + approximateBytes(args),
  };
}

export function unknownCall(name: unknown, known: Iterable<string>): CatalogueError {
  const shown = typeof name === 'string' ? JSON.stringify(name.slice(0, MAX_QUOTED)) : `a ${typeof name}`;
  return new CatalogueError(
    'InvalidArgument',
    `call: ${shown} is unknown: known are ${[...known].join(', ')}`,
  );
}

/** An own member of whatever a client sent. */
export function memberOf(value: unknown, name: string): unknown {
  if (typeof value !== 'object' || value === null || !Object.hasOwn(value, name)) return undefined;
  return (value as Record<string, unknown>)[name];
}
