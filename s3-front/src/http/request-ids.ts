/** Ids by which a request is followed: one of its own, behind those that whoever sent it gave it. */
import { randomUUID } from 'node:crypto';
import type { IncomingHttpHeaders } from 'node:http';

/** Longest chain of ids that is taken over from a client. */
const MAX_GIVEN_LENGTH = 200;

export interface RequestIds {
  readonly id: string;
  /** For the modules: outermost first, joined by colons. */
  readonly reqUids: string;
}

export function requestIds(headers: IncomingHttpHeaders): RequestIds {
  const id = randomUUID().replaceAll('-', '').slice(0, 20);
  const given = headers['x-scal-request-uids'];
  const usable = typeof given === 'string' && given.length <= MAX_GIVEN_LENGTH && /^[\w:.-]+$/.test(given);
  return { id, reqUids: usable ? `${given}:${id}` : id };
}
