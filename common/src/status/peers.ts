/** The health of other parts, as their probes tell it. */
import { messageOf } from '../errors.js';
import type { NamedHost } from '../settings.js';
import { withoutUser } from './without-user.js';

const ANSWER_MS = 2000;
const MAX_REASON = 500;

/** A part, and where its probes are. */
export type Peer = NamedHost;

export interface Health {
  readonly isReady: boolean;
  readonly text: string;
}

export const urlOf = ({ host, port }: Peer): string =>
  `http://${host.includes(':') ? `[${host}]` : host}:${port}`;

/** Never rejects: a part that does not answer is not ready. */
export async function healthOf(peer: Peer): Promise<Health> {
  try {
    const signal = AbortSignal.timeout(ANSWER_MS);
    const answer = await fetch(`${urlOf(peer)}/_/ready`, { signal, redirect: 'error' });
    const { status, reason, role } = (await answer.json()) as Readonly<Record<string, unknown>>;
    const told = [status, reason, role].filter(text => typeof text === 'string').join(', ');
    return { isReady: answer.status === 200, text: withoutUser(told.slice(0, MAX_REASON)) };
  } catch (err) {
    const cause = err instanceof Error && err.cause instanceof Error ? err.cause : err;
    return { isReady: false, text: `no answer: ${withoutUser(messageOf(cause).slice(0, MAX_REASON))}` };
  }
}
