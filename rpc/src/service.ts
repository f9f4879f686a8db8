/** What a part offers over the RPC: named calls, in a namespace. */
/** Whether the work that somebody waited for is still wanted. An `AbortSignal` is one. A call's also tells whose work it is. */
export interface Cancellation {
  readonly aborted: boolean;
  /** The ids of the request that the call is a part of, as its sender gave them. */
  readonly reqUids?: string | undefined;
}

/** One call, as it came from a client. Everything in it is unchecked but for the type stated here. */
export interface RpcCall {
  /** The arguments; empty when the client sent none. */
  readonly args: readonly unknown[];
  /** The database that the client named, `undefined` when it named none. */
  readonly subLevel: unknown;
  /** The log that the client named, `undefined` when it named none. */
  readonly logName: unknown;
  /** Aborted when the client has been told that the call took too long: what has not begun need not begin. */
  readonly signal: Cancellation;
  /** Aborted when the client has gone, or the server stops: nobody waits for the answer any more. It belongs to the connection: let go of it. */
  readonly gone: AbortSignal;
}

/**
 * Carries a call out. What it resolves with is sent as JSON; a `StreamResult`, also as a member of an
 * object, becomes a stream. A rejection is sent as an error of the catalogue.
 */
export type RpcHandler = (call: RpcCall) => Promise<unknown>;

export interface RpcService {
  readonly namespace: string;
  /** Handlers by the name of the call. `getManifest` is answered by the server. */
  readonly calls: Readonly<Record<string, RpcHandler>>;
}

/** An iterator that may have items at hand, which nobody need wait for. Items are never `undefined`. */
export interface ItemIterator<T> extends AsyncIterator<T> {
  /** The next item, if it is at hand and nobody waits for one before it. */
  atHand?(): T | undefined;
}

/** A result that is sent item by item. The server ends the iterator, whatever happens. */
export class StreamResult {
  readonly items: ItemIterator<unknown>;

  constructor(items: ItemIterator<unknown>) {
    this.items = items;
  }
}
