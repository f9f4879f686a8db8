/** What all connections of one server share. */
export interface ServerState {
  /** No new calls are taken. */
  stopping: boolean;
  /** Streams that are open. */
  streams: number;
  /** Bytes of text in the arguments of calls in flight. */
  argumentBytes: number;
}

export function newServerState(): ServerState {
  return { stopping: false, streams: 0, argumentBytes: 0 };
}
