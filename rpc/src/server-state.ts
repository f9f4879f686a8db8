import type { RpcLimits } from './limits.js';
import { UnreadBytes } from './unread-bytes.js';

/** What all connections of one server share. */
export interface ServerState {
  /** No new calls are taken. */
  stopping: boolean;
  /** Streams that are open. */
  streams: number;
  /** What the calls that are being worked on take in memory. */
  callBytes: number;
  readonly unread: UnreadBytes;
}

export function newServerState({ unreadBytesInAll }: RpcLimits): ServerState {
  return { stopping: false, streams: 0, callBytes: 0, unread: new UnreadBytes(unreadBytesInAll) };
}
