/** One client's connection to one namespace: its calls in flight and its open streams. */
import { randomUUID } from 'node:crypto';
import type { Socket } from 'socket.io';
import { CatalogueError, type ErrorType, toCatalogueError } from '../errors.js';
import type { Logger } from '../logger.js';
import { RPC_LIMITS, type RpcLimits } from './limits.js';
import { type RpcCall, type RpcHandler, type RpcService, StreamResult } from './service.js';
import { StreamSender, type StreamSocket } from './stream-sender.js';
import { type Manifest, type StreamReference, toWireError } from './wire.js';

/** No more of a client's text than this goes into a log or an answer. */
const MAX_QUOTED = 256;

export interface RpcObserver {
  /** `outcome` is `ok` or the type of the error. */
  callAnswered(namespace: string, call: string, outcome: 'ok' | ErrorType, seconds: number): void;
}

export interface ConnectionOptions {
  readonly log: Logger;
  /** Laid over `RPC_LIMITS`, for tests that are in a hurry. */
  readonly limits?: Partial<RpcLimits>;
  readonly observer?: RpcObserver;
}

type Acknowledge = (...answer: unknown[]) => void;

export class RpcConnection {
  readonly #socket: Socket;
  readonly #service: RpcService;
  readonly #options: ConnectionOptions;
  readonly #limits: RpcLimits;
  readonly #all: ReadonlySet<RpcConnection>;
  readonly #handlers: ReadonlyMap<string, RpcHandler>;
  readonly #streams = new Map<string, StreamSender>();
  /** Calls that a handler still works on, also when their client was told that they took too long. */
  readonly #calls = new Set<Promise<void>>();
  #draining = false;

  constructor(
    socket: Socket,
    service: RpcService,
    options: ConnectionOptions,
    all: ReadonlySet<RpcConnection>,
  ) {
    this.#socket = socket;
    this.#service = service;
    this.#options = options;
    this.#limits = { ...RPC_LIMITS, ...options.limits };
    this.#all = all;
    this.#handlers = new Map(Object.entries(service.calls));
    socket.on('call', (...received: unknown[]) => this.#onCall(received));
    socket.on('stream-hangup', (payload: unknown) => this.#onHangUp(payload));
    // A client may send an event of this name, and a damaged packet raises it; without a listener it would be thrown.
    socket.on('error', (err: unknown) => {
      options.log.debug({ err }, 'a client sent what cannot be read');
    });
  }

  get openStreams(): number {
    return this.#streams.size;
  }

  /** Ends every stream: the client has gone. */
  end(): void {
    for (const stream of [...this.#streams.values()]) stream.hangUp();
  }

  /** Takes no more calls, tells the readers of streams, and resolves when every call has been answered. */
  async drain(): Promise<void> {
    this.#draining = true;
    await Promise.all(this.#calls);
    for (const stream of [...this.#streams.values()]) stream.fail(stopping());
  }

  #onHangUp(payload: unknown): void {
    const streamId = memberOf(payload, 'streamId');
    if (typeof streamId === 'string') this.#streams.get(streamId)?.hangUp();
  }

  #onCall(received: readonly unknown[]): void {
    const acknowledge = received.at(-1);
    if (typeof acknowledge !== 'function') {
      this.#options.log.debug('a call without a function for its answer was ignored');
      return;
    }
    const [name, args] = received.slice(0, -1);
    const started = performance.now();
    const known = typeof name === 'string' && this.#handlers.has(name);
    let answered = false;
    const answer = (outcome: 'ok' | ErrorType, ...values: unknown[]): void => {
      if (answered) return;
      answered = true;
      (acknowledge as Acknowledge)(...values);
      this.#options.observer?.callAnswered(
        this.#service.namespace,
        known ? name : 'unknown',
        outcome,
        (performance.now() - started) / 1000,
      );
    };
    if (name === 'getManifest') {
      answer('ok', null, this.#manifest());
      return;
    }
    const refuse = (err: unknown, log: Logger): void => {
      const told = toCatalogueError(err);
      if (told.type === 'InternalError') log.error({ err: told.cause ?? told }, 'a call failed');
      answer(told.type, toWireError(told));
    };
    let call: RpcCall;
    let handler: RpcHandler;
    const controller = new AbortController();
    try {
      handler = this.#handlerOf(name);
      call = this.#read(name as string, args, controller.signal);
    } catch (err) {
      refuse(err, this.#options.log);
      return;
    }
    const { callMs } = this.#limits;
    const deadline = setTimeout(() => {
      controller.abort();
      refuse(new CatalogueError('ServiceUnavailable', `the call took longer than ${callMs} ms`), call.log);
    }, callMs);
    const work = invoke(handler, call)
      .then(
        result => {
          if (answered) discardStreams(result);
          else this.#send(result, answer);
        },
        (err: unknown) => refuse(err, call.log),
      )
      .catch((err: unknown) => refuse(err, call.log))
      .finally(() => {
        clearTimeout(deadline);
        this.#calls.delete(work);
      });
    this.#calls.add(work);
  }

  #handlerOf(name: unknown): RpcHandler {
    const handler = typeof name === 'string' ? this.#handlers.get(name) : undefined;
    if (handler === undefined) {
      const shown = typeof name === 'string' ? JSON.stringify(name.slice(0, MAX_QUOTED)) : `a ${typeof name}`;
      const known = [...this.#handlers.keys()].join(', ');
      throw new CatalogueError('InvalidArgument', `call: ${shown} is unknown: known are ${known}`);
    }
    if (this.#draining) throw stopping();
    const { callsInFlight } = this.#limits;
    if (this.#calls.size >= callsInFlight) {
      throw new CatalogueError('SlowDown', `more than ${callsInFlight} calls at once on one connection`);
    }
    return handler;
  }

  #read(name: string, args: unknown, signal: AbortSignal): RpcCall {
    if (args !== undefined && (typeof args !== 'object' || args === null || Array.isArray(args))) {
      throw new CatalogueError('InvalidArgument', 'the arguments must be an object with rpcArgs');
    }
    const rpcArgs = memberOf(args, 'rpcArgs') ?? [];
    if (!Array.isArray(rpcArgs)) {
      throw new CatalogueError('InvalidArgument', 'rpcArgs must be an array');
    }
    const reqUids = memberOf(args, 'reqUids');
    return {
      args: rpcArgs,
      subLevel: memberOf(args, 'subLevel') ?? undefined,
      logName: memberOf(args, 'logName') ?? undefined,
      log: this.#options.log.child({
        call: name,
        reqUids: typeof reqUids === 'string' ? reqUids.slice(0, MAX_QUOTED) : undefined,
      }),
      signal,
    };
  }

  /** Acknowledges first: a client must know a stream before its items come. */
  #send(result: unknown, answer: (outcome: 'ok', ...values: unknown[]) => void): void {
    const sources = streamsOf(result);
    if (sources.length > 0) {
      const refusal = this.#streamRefusal(sources.length);
      if (refusal) {
        discardStreams(result);
        throw refusal;
      }
    }
    const references = new Map(sources.map(source => [source, streamReference()]));
    answer('ok', null, replaceStreams(result, references));
    for (const [source, { $streamId }] of references) this.#openStream($streamId, source);
  }

  #streamRefusal(wanted: number): CatalogueError | undefined {
    if (!this.#socket.connected) return new CatalogueError('ServiceUnavailable', 'the client has gone');
    if (this.#draining) return stopping();
    const { streams, streamsInAll } = this.#limits;
    if (this.openStreams + wanted > streams) {
      return new CatalogueError('SlowDown', `more than ${streams} streams at once on one connection`);
    }
    const all = [...this.#all].reduce((sum, connection) => sum + connection.openStreams, 0);
    if (all + wanted > streamsInAll) {
      return new CatalogueError('SlowDown', `more than ${streamsInAll} streams at once`);
    }
    return undefined;
  }

  #openStream(streamId: string, source: StreamResult): void {
    const socket: StreamSocket = {
      request: (event, payload, timeoutMs, onAck) => {
        this.#socket.timeout(timeoutMs).emit(event, payload, (err: Error | null) => onAck(err));
      },
      notify: (event, payload) => {
        this.#socket.emit(event, payload);
      },
    };
    const onClosed = (err?: unknown): void => {
      this.#streams.delete(streamId);
      if (err !== undefined) this.#options.log.warn({ err, streamId }, 'a stream failed');
    };
    const { items } = source;
    const limits = this.#limits;
    this.#streams.set(streamId, new StreamSender({ streamId, socket, items, limits, onClosed }));
  }

  #manifest(): Manifest {
    return { apiVersion: '1.0', api: [...this.#handlers.keys()].map(name => ({ name })) };
  }
}

/** A handler that throws at once is one that rejects. */
async function invoke(handler: RpcHandler, call: RpcCall): Promise<unknown> {
  return await handler(call);
}

function stopping(): CatalogueError {
  return new CatalogueError('ServiceUnavailable', 'the module is stopping');
}

/** An own member of whatever a client sent. */
function memberOf(value: unknown, name: string): unknown {
  if (typeof value !== 'object' || value === null || !Object.hasOwn(value, name)) return undefined;
  return (value as Record<string, unknown>)[name];
}

function streamReference(): StreamReference {
  return { $streamId: randomUUID(), readable: true, writable: false };
}

function streamsOf(result: unknown): StreamResult[] {
  if (result instanceof StreamResult) return [result];
  if (typeof result !== 'object' || result === null) return [];
  return Object.values(result).filter(member => member instanceof StreamResult);
}

function replaceStreams(result: unknown, references: ReadonlyMap<StreamResult, StreamReference>): unknown {
  if (references.size === 0) return result;
  if (result instanceof StreamResult) return references.get(result);
  return Object.fromEntries(
    Object.entries(result as object).map(([key, member]: [string, unknown]) => [
      key,
      member instanceof StreamResult ? references.get(member) : member,
    ]),
  );
}

/** Frees the iterators of a result that nobody will read. */
function discardStreams(result: unknown): void {
  for (const { items } of streamsOf(result)) {
    // An iterator that fails to end has nobody left to be told.
    items.return?.().catch(() => undefined);
  }
}
