/** The health of other parts, as their probes tell it. */
import { askProbe } from '../ask-probe.js';
import { messageOf } from '../errors.js';
import { httpUrl } from '../http-url.js';
import type { NamedHost } from '../settings.js';
import { withoutUser } from '../without-user.js';

const ANSWER_MS = 2000;
const MAX_REASON = 500;

/** A part, and where its probes are. */
export type Peer = NamedHost;

export interface Health {
  readonly isReady: boolean;
  readonly text: string;
}

/** Never rejects: a part that does not answer is not ready. */
export async function healthOf(peer: Peer): Promise<Health> {
  try {
    const answer = await askProbe(`${httpUrl(peer.host, peer.port)}/_/ready`, ANSWER_MS);
    const { status, reason, role } = JSON.parse(answer.text) as Readonly<Record<string, unknown>>;
    const told = [status, reason, role].filter(text => typeof text === 'string').join(', ');
    return { isReady: answer.status === 200, text: withoutUser(told.slice(0, MAX_REASON)) };
  } catch (err) {
    return { isReady: false, text: `no answer: ${withoutUser(messageOf(err).slice(0, MAX_REASON))}` };
  }
}
