/** One client's connection to one namespace: its calls in flight and its open streams. */
import { setMaxListeners } from 'node:events';
import type { Socket } from 'socket.io';
import { CatalogueError, type ErrorType, toCatalogueError } from '@zenko-modules/common/errors';
import type { Logger } from '@zenko-modules/common/logger';
import { type IncomingCall, MAX_QUOTED, memberOf, readCall, unknownCall } from './incoming-call.js';
import { RPC_LIMITS, type RpcLimits } from './limits.js';
import { Outgoing } from './outgoing.js';
import type { ServerState } from './server-state.js';
import type { RpcCall, RpcHandler, RpcService, StreamResult } from './service.js';
import { discardStreams, withReferences } from './stream-results.js';
import { StreamSender } from './stream-sender.js';
import { type Manifest, toWireError } from './wire.js';

export interface RpcObserver {
  /** `outcome` is `ok` or the type of the error. */
  callAnswered(namespace: string, call: string, outcome: 'ok' | ErrorType, seconds: number): void;
  /** A client was cut off, for what it left lying about. */
  clientCutOff(reason: 'unfinished messages' | 'unread answers'): void;
}

export interface ConnectionOptions {
  readonly log: Logger;
  /** Laid over `RPC_LIMITS`, for tests that are in a hurry. */
  readonly limits?: Partial<RpcLimits>;
  readonly observer?: RpcObserver;
}

type Answer = (outcome: 'ok' | ErrorType, ...values: unknown[]) => void;

export class RpcConnection {
  readonly #socket: Socket;
  readonly #service: RpcService;
  readonly #options: ConnectionOptions;
  readonly #limits: RpcLimits;
  readonly #state: ServerState;
  readonly #outgoing: Outgoing;
  readonly #handlers: ReadonlyMap<string, RpcHandler>;
  readonly #streams = new Map<string, StreamSender>();
  /** Calls that a handler still works on, also when their client was told that they took too long. */
  readonly #calls = new Set<Promise<void>>();
  readonly #gone = new AbortController();
  #draining = false;

  constructor(socket: Socket, service: RpcService, options: ConnectionOptions, state: ServerState) {
    this.#socket = socket;
    this.#service = service;
    this.#options = options;
    this.#limits = { ...RPC_LIMITS, ...options.limits };
    this.#state = state;
    this.#outgoing = new Outgoing(socket, this.#limits.unreadBytes, state.unread, unread => {
      options.log.warn({ unread }, 'a client that does not read its answers is cut off');
      options.observer?.clientCutOff('unread answers');
    });
    this.#handlers = new Map(Object.entries(service.calls));
    setMaxListeners(0, this.#gone.signal);
    socket.on('call', (...received: unknown[]) => this.#onCall(received));
    socket.on('stream-hangup', (payload: unknown) => this.#onHangUp(payload));
    // A client may send an event of this name, and a damaged packet raises it; without a listener it would be thrown.
    socket.on('error', (err: unknown) => {
      options.log.debug({ err }, 'a client sent what cannot be read');
    });
  }

  /** What it shares with the client's connections to other namespaces. */
  get transport(): Socket['conn'] {
    return this.#socket.conn;
  }

  /** Ends every stream: the client has gone. */
  end(): void {
    this.#gone.abort();
    for (const stream of [...this.#streams.values()]) stream.hangUp();
  }

  /**
   * Resolves when every call that has come is answered, and the readers of streams have been told that there is no
   * more. What comes meanwhile is not answered, and so fails with the connection, which is to end then: a client that
   * was refused at once would have made its last try before there is another server.
   */
  async drain(): Promise<void> {
    this.#draining = true;
    this.#gone.abort();
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
    if (this.#draining) return;
    const [name, args] = received.slice(0, -1);
    const answer = this.#answerOnce(name, acknowledge as (...values: unknown[]) => void);
    if (name === 'getManifest') {
      answer('ok', null, this.#manifest());
      return;
    }
    try {
      const handler = typeof name === 'string' ? this.#handlers.get(name) : undefined;
      if (typeof name !== 'string' || handler === undefined) throw unknownCall(name, this.#handlers.keys());
      const incoming = readCall(args);
      this.#admit(incoming);
      this.#carryOut(name, handler, incoming, answer);
    } catch (err) {
      this.#refuse(err, answer, {});
    }
  }

  /** @throws CatalogueError when the server stops or has enough to do. */
  #admit({ bytes }: IncomingCall): void {
    if (this.#state.stopping) throw stopping();
    const { callsInFlight, callBytes } = this.#limits;
    if (this.#calls.size >= callsInFlight) {
      throw new CatalogueError('SlowDown', `more than ${callsInFlight} calls at once on one connection`);
    }
    if (this.#state.callBytes + bytes > callBytes) {
      throw new CatalogueError('SlowDown', `more than ${callBytes} bytes in calls at once`);
    }
  }

  #carryOut(name: string, handler: RpcHandler, incoming: IncomingCall, given: Answer): void {
    const { args, subLevel, logName, reqUids, bytes } = incoming;
    const about = { call: name, reqUids };
    const tells = this.#options.log.isLevelEnabled('debug');
    const answer = tells
      ? this.#telling(given, { ...about, database: quoted(memberOf(subLevel, '0')), key: quoted(args[0]) })
      : given;
    // Not an AbortSignal: one for each call takes more time than all else that is done for it here.
    const signal = { aborted: false, reqUids };
    const { callMs } = this.#limits;
    const deadline = setTimeout(() => {
      signal.aborted = true;
      const late = new CatalogueError('ServiceUnavailable', `the call took longer than ${callMs} ms`);
      this.#refuse(late, answer, about);
    }, callMs);
    this.#state.callBytes += bytes;
    const work = invoke(handler, { args, subLevel, logName, signal, gone: this.#gone.signal })
      .then(result => {
        if (signal.aborted) discardStreams(result);
        else this.#send(result, answer);
      })
      .catch((err: unknown) => this.#refuse(err, answer, about))
      .finally(() => {
        clearTimeout(deadline);
        this.#state.callBytes -= bytes;
        this.#calls.delete(work);
      });
    this.#calls.add(work);
  }

  /** Tells of each answer, for who follows a request. */
  #telling(answer: Answer, about: object): Answer {
    const started = performance.now();
    return (outcome, ...values) => {
      answer(outcome, ...values);
      const ms = Math.round(performance.now() - started);
      this.#options.log.debug({ ...about, outcome, ms }, 'call done');
    };
  }

  #answerOnce(name: unknown, acknowledge: (...values: unknown[]) => void): Answer {
    const started = performance.now();
    const call = typeof name === 'string' && this.#handlers.has(name) ? name : 'unknown';
    let answered = false;
    return (outcome, ...values) => {
      if (answered) return;
      answered = true;
      this.#outgoing.answer(acknowledge, values);
      const seconds = (performance.now() - started) / 1000;
      this.#options.observer?.callAnswered(this.#service.namespace, call, outcome, seconds);
    };
  }

  /** @param about which call that was, for the log. */
  #refuse(err: unknown, answer: Answer, about: object): void {
    const told = toCatalogueError(err);
    if (told.type === 'InternalError') {
      this.#options.log.error({ ...about, err: told.cause ?? told }, 'a call failed');
    }
    answer(told.type, toWireError(told));
  }

  /** Answers before it opens streams: a client must know a stream before its items come. */
  #send(result: unknown, answer: Answer): void {
    const { sent, streams } = withReferences(result);
    const refusal = streams.length > 0 ? this.#streamRefusal(streams.length) : undefined;
    if (refusal) {
      discardStreams(result);
      throw refusal;
    }
    answer('ok', null, sent);
    for (const { reference, source } of streams) this.#openStream(reference.$streamId, source);
  }

  #streamRefusal(wanted: number): CatalogueError | undefined {
    if (!this.#socket.connected) return new CatalogueError('ServiceUnavailable', 'the client has gone');
    if (this.#state.stopping) return stopping();
    const { streams, streamsInAll } = this.#limits;
    if (this.#streams.size + wanted > streams) {
      return new CatalogueError('SlowDown', `more than ${streams} streams at once on one connection`);
    }
    if (this.#state.streams + wanted > streamsInAll) {
      return new CatalogueError('SlowDown', `more than ${streamsInAll} streams at once`);
    }
    return undefined;
  }

  #openStream(streamId: string, { items }: StreamResult): void {
    const onClosed = (err?: unknown): void => {
      this.#streams.delete(streamId);
      this.#state.streams -= 1;
      if (err !== undefined) this.#options.log.warn({ err, streamId }, 'a stream failed');
    };
    const [socket, limits] = [this.#outgoing, this.#limits];
    this.#state.streams += 1;
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

/** A text of a client as the log shows it. */
function quoted(text: unknown): string | undefined {
  return typeof text === 'string' ? text.slice(0, MAX_QUOTED) : undefined;
}
