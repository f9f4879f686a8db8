/** The client of a metadata module's RPC, as CloudServer and Backbeat use it. */
import { io, type Socket } from 'socket.io-client';
import { CatalogueError } from '@zenko-modules/common/errors';
import type { TlsClient } from '@zenko-modules/common/network/tls-client';
import { JointWritesAgent, JointWritesTlsAgent } from './joint-writes.js';
import {
  CALL_TIMEOUT_MS,
  type CallArguments,
  fromWireError,
  isStreamReference,
  type Manifest,
  type StreamData,
  type StreamEnd,
  type StreamFailure,
} from './wire.js';

/** socket.io waits so long for a connection that ended in the midst of its opening, before it tries again. By itself: 20 s. */
const CONNECT_MS = 5000;

type StreamAck = (err: null) => void;

/** What socket.io does by itself when a connection ends, but not when there was none. */
interface WithAcks {
  _clearAcks(): void;
}

export interface RpcClientOptions {
  /** `http://host:port`, without the namespace; `https:` with `tls`. */
  readonly url: string;
  /** What is shown to the module. It stays open for longer than the client. */
  readonly tls?: TlsClient | undefined;
  readonly namespace: string;
  /** How long a call waits for its answer, and a stream for its next item, in milliseconds. */
  readonly callTimeoutMs?: number;
}

/**
 * One connection to one namespace. It connects at once and reconnects by itself; a call that is made
 * while the module is away waits for it until its deadline, then rejects with `ServiceUnavailable`.
 * A call whose answer was lost with the connection rejects with `ServiceUnavailable` too: it may or may
 * not have been carried out.
 */
export class RpcClient {
  readonly #socket: Socket;
  readonly #writes: JointWritesAgent | JointWritesTlsAgent;
  readonly #timeoutMs: number;
  readonly #streams = new Map<string, RpcStream>();
  /** Ends each call that is under way. */
  readonly #calls = new Set<(reason: string) => void>();
  /** Why the connection ends, while it does. */
  #lostBy: string | undefined;
  /** Calls that the module has which it is connected to now. */
  #offered: Promise<ReadonlySet<string>> | undefined;
  #closed = false;

  constructor(options: RpcClientOptions) {
    this.#timeoutMs = options.callTimeoutMs ?? CALL_TIMEOUT_MS;
    this.#writes = options.tls ? new JointWritesTlsAgent(options.tls) : new JointWritesAgent();
    // Taken by socket.io, though its types do not know it.
    const transport: object = { agent: this.#writes };
    this.#socket = io(options.url + options.namespace, {
      ...transport,
      // A web socket at once: one that begins with polling lets calls wait for up to 100 ms while it changes over.
      transports: ['websocket', 'polling'],
      tryAllTransports: true,
      forceNew: true,
      reconnectionDelay: 100,
      reconnectionDelayMax: 2000,
      timeout: CONNECT_MS,
    });
    this.#socket.on('stream-data', ({ streamId, data }: StreamData, ack?: StreamAck) => {
      const stream = this.#streams.get(streamId);
      if (stream) {
        stream.receive(data, () => {
          this.#writes.hold();
          ack?.(null);
        });
        return;
      }
      ack?.(null);
      // Nobody reads it: it was left, or the answer that opened it came too late.
      this.#socket.emit('stream-hangup', { streamId });
    });
    this.#socket.on('stream-end', ({ streamId }: StreamEnd, ack?: StreamAck) => {
      this.#streams.get(streamId)?.finish();
      ack?.(null);
    });
    this.#socket.on('stream-error', ({ streamId, error }: StreamFailure) => {
      this.#streams.get(streamId)?.finish(fromWireError(error));
    });
    this.#socket.on('disconnect', reason => {
      this.#offered = undefined;
      const lost = new CatalogueError('ServiceUnavailable', `the connection was lost (${reason})`);
      for (const stream of [...this.#streams.values()]) stream.finish(lost);
      // Now socket.io ends the calls that it has sent. It sends the others with the next connection: they have not failed.
      this.#lostBy = reason;
      queueMicrotask(() => {
        this.#lostBy = undefined;
      });
    });
  }

  get connected(): boolean {
    return this.#socket.connected;
  }

  /**
   * Makes a call and resolves with its result, in which each stream is an `RpcStream`: iterate it, and
   * leave the loop early to hang up.
   * @throws CatalogueError what the module answered, or `ServiceUnavailable` when it did not.
   */
  call(name: string, args: CallArguments): Promise<unknown> {
    if (this.#closed) return Promise.reject(new CatalogueError('ServiceUnavailable', 'the client is closed'));
    return new Promise((resolve, reject) => {
      const end = (reason: string): void => {
        this.#calls.delete(end);
        reject(new CatalogueError('ServiceUnavailable', `${name}: ${reason}`));
      };
      this.#calls.add(end);
      this.#writes.hold();
      // `timeout` makes socket.io drop a call that is still queued for a connection when its time is over.
      this.#socket
        .timeout(this.#timeoutMs)
        .emit('call', name, args, (failure: unknown, err: unknown, result: unknown) => {
          if (!this.#calls.delete(end)) return;
          if (failure && this.#lostBy !== undefined) end(`the connection was lost (${this.#lostBy})`);
          else if (failure) end(`no answer within ${this.#timeoutMs} ms`);
          else if (err) reject(fromWireError(err));
          else resolve(this.#withStreams(result));
        });
    });
  }

  /**
   * Whether the module has a call of this name, which not every module has. Asked once for each connection: with the
   * next there may be another module.
   * @throws CatalogueError as `call` does
   */
  async offers(name: string): Promise<boolean> {
    const asked = (this.#offered ??= this.call('getManifest', { rpcArgs: [] }).then(namesOf));
    try {
      return (await asked).has(name);
    } catch (err) {
      if (this.#offered === asked) this.#offered = undefined;
      throw err;
    }
  }

  /** Ends every stream and the connection. Calls that are under way reject, and nothing keeps the process alive. */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    for (const end of [...this.#calls]) end('the client was closed');
    // socket.io has a timer for each call. It keeps those of what is queued, and all of them while it is not connected.
    this.#socket.sendBuffer = [];
    this.#socket.disconnect();
    (this.#socket as unknown as WithAcks)._clearAcks();
    this.#endConnections();
  }

  /** A web socket waits half a minute for its module to agree that it is closed. */
  #endConnections(): void {
    const { engine } = this.#socket.io;
    // It is asked to close, and sends before what it has to say.
    if (engine.readyState === 'closing') engine.once('close', () => this.#writes.end());
    else this.#writes.end();
  }

  #withStreams(result: unknown): unknown {
    if (isStreamReference(result)) return this.#openStream(result.$streamId);
    if (typeof result !== 'object' || result === null || Array.isArray(result)) return result;
    return Object.fromEntries(
      Object.entries(result).map(([key, value]) => [
        key,
        isStreamReference(value) ? this.#openStream(value.$streamId) : value,
      ]),
    );
  }

  #openStream(streamId: string): RpcStream {
    const stream = new RpcStream(this.#timeoutMs, finished => {
      this.#streams.delete(streamId);
      if (!finished) this.#socket.emit('stream-hangup', { streamId });
    });
    this.#streams.set(streamId, stream);
    return stream;
  }
}

function namesOf(manifest: unknown): ReadonlySet<string> {
  const { api = [] } = (manifest ?? {}) as Partial<Manifest>;
  return new Set(api.map(({ name }) => name));
}

interface Message {
  readonly items: readonly unknown[];
  readonly acknowledge: () => void;
}

/** The items of one streamed result. A message is acknowledged when its items are taken: that is the back-pressure. */
export class RpcStream implements AsyncIterable<unknown> {
  readonly #idleMs: number;
  readonly #onClose: (finished: boolean) => void;
  readonly #messages: Message[] = [];
  #ended = false;
  #closed = false;
  #error: Error | undefined;
  #wake: (() => void) | undefined;

  /** @param onClose called once; with `false` when the reader leaves before the end. */
  constructor(idleMs: number, onClose: (finished: boolean) => void) {
    this.#idleMs = idleMs;
    this.#onClose = onClose;
  }

  receive(items: readonly unknown[], acknowledge: () => void): void {
    this.#messages.push({ items, acknowledge });
    this.#wake?.();
  }

  finish(error?: Error): void {
    this.#ended = true;
    this.#error ??= error;
    this.#wake?.();
  }

  /** Tells the module that no more items are wanted. */
  hangUp(): void {
    this.#close(this.#ended);
    this.#messages.length = 0;
    this.finish();
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<unknown, void, undefined> {
    // `yield*` would wait three times for each item.
    for await (const items of this.messages()) for (const item of items) yield item;
  }

  /** The same, by message: for readers of very many small items. */
  async *messages(): AsyncGenerator<readonly unknown[], void, undefined> {
    try {
      for (;;) {
        const message = this.#messages.shift();
        if (message) {
          yield message.items;
          message.acknowledge();
        } else if (this.#error) {
          throw this.#error;
        } else if (this.#ended) {
          return;
        } else {
          await this.#nextEvent();
        }
      }
    } finally {
      this.#close(this.#ended);
    }
  }

  #close(finished: boolean): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#onClose(finished);
  }

  #nextEvent(): Promise<void> {
    return new Promise((resolve, reject) => {
      const timer = setTimeout(
        () => reject(new CatalogueError('ServiceUnavailable', `a stream was silent for ${this.#idleMs} ms`)),
        this.#idleMs,
      );
      this.#wake = () => {
        this.#wake = undefined;
        clearTimeout(timer);
        resolve();
      };
    });
  }
}
