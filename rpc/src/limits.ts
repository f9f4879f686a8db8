/** What one client may ask of the RPC server, so that no client can exhaust it. Far beyond what CloudServer does. */
import { STREAM_ACK_TIMEOUT_MS } from './wire.js';

export const RPC_LIMITS = {
  /** More calls than this at once on one socket are answered with SlowDown. */
  callsInFlight: 32_768,
  /** More than this in memory for all calls at once is answered with SlowDown. */
  callBytes: 256 * 1024 * 1024,
  /** Those that hold most for longest are cut off when all clients together have begun messages of more than this. */
  unfinishedBytes: 128 * 1024 * 1024,
  /** A client that leaves more than this unread is cut off, … */
  unreadBytes: 128 * 1024 * 1024,
  /** … and so are those that leave most, when all together leave more than this. */
  unreadBytesInAll: 256 * 1024 * 1024,
  /** More streams than this at once on one socket are answered with SlowDown, … */
  streams: 512,
  /** … and more than this on all sockets together: each holds an iterator of the store, and what that has read ahead. */
  streamsInAll: 1024,
  /** A call that takes longer is answered with ServiceUnavailable: the store behind it does not answer. */
  callMs: 10_000,
  /** A stream whose client does not acknowledge for this long is ended. */
  ackMs: STREAM_ACK_TIMEOUT_MS,
  /** A stream that makes no step for this long is ended: the store behind it does not answer. */
  stepMs: 10_000,
  /** A client before socket.io 3 has so long to move on to websocket. */
  upgradeMs: 5000,
} as const;

export type RpcLimits = Readonly<Record<keyof typeof RPC_LIMITS, number>>;
