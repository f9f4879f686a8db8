/** One client's connection to one namespace: its calls in flight and its open streams. */
import { setMaxListeners } from 'node:events';
import type { Socket } from 'socket.io';
import { CatalogueError, type ErrorType, toCatalogueError } from '@zenko-modules/common/errors';
import type { Logger } from '@zenko-modules/common/logger';
import { type IncomingCall, MAX_QUOTED, memberOf, readCall, unknownCall } from './incoming-call.js';
import { RPC_LIMITS, type RpcLimits } from './limits.js';
import { Outgoing } from './outgoing.js';
import type { ServerState } from './server-state.js';
import type { RpcHandler, RpcService, StreamResult } from './service.js';
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

interface CallUnderWay {
  /** When it has taken too long, as `performance.now()` counts. */
  readonly due: number;
  readonly signal: { aborted: boolean };
  readonly about: object;
  readonly answer: Answer;
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
  /** Calls that a handler still works on, also when their client was told that they took too long. In the order in which they came. */
  readonly #calls = new Set<CallUnderWay>();
  /** Looks after their deadlines: one for each would take more time than most of what is done for a call here. */
  #deadlines: NodeJS.Timeout | undefined;
  #onIdle: () => void = () => undefined;
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
    if (this.#calls.size > 0) await new Promise<void>(resolve => (this.#onIdle = resolve));
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
      void this.#carryOut(name, handler, incoming, answer);
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

  /** Never rejects. */
  async #carryOut(name: string, handler: RpcHandler, incoming: IncomingCall, given: Answer): Promise<void> {
    const { args, subLevel, logName, reqUids, bytes } = incoming;
    const about = { call: name, reqUids };
    const tells = this.#options.log.isLevelEnabled('debug');
    const answer = tells
      ? this.#telling(given, { ...about, database: quoted(memberOf(subLevel, '0')), key: quoted(args[0]) })
      : given;
    // Not an AbortSignal: one for each call takes more time than all else that is done for it here.
    const signal = { aborted: false, reqUids };
    const call = { due: performance.now() + this.#limits.callMs, signal, about, answer };
    this.#calls.add(call);
    this.#state.callBytes += bytes;
    if (this.#deadlines === undefined) this.#deadlines = this.#endLateAfter(this.#limits.callMs);
    try {
      const result = await handler({ args, subLevel, logName, signal, gone: this.#gone.signal });
      if (signal.aborted) discardStreams(result);
      else this.#send(result, answer);
    } catch (err) {
      this.#refuse(err, answer, about);
    } finally {
      this.#state.callBytes -= bytes;
      this.#calls.delete(call);
      if (this.#calls.size === 0) this.#onIdle();
    }
  }

  #endLateAfter(ms: number): NodeJS.Timeout {
    return setTimeout(() => this.#endLate(), ms).unref();
  }

  /** Answers the calls that have taken too long, and comes again when the next has. */
  #endLate(): void {
    this.#deadlines = undefined;
    const now = performance.now();
    for (const { due, signal, about, answer } of this.#calls) {
      if (signal.aborted) continue;
      if (due > now) {
        // Timers count in whole milliseconds, and may be early by a part of one.
        this.#deadlines = this.#endLateAfter(Math.ceil(due - now));
        return;
      }
      signal.aborted = true;
      const late = `the call took longer than ${this.#limits.callMs} ms`;
      this.#refuse(new CatalogueError('ServiceUnavailable', late), answer, about);
    }
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
    if (typeof result === 'string') {
      answer('ok', null, result);
      return;
    }
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

function stopping(): CatalogueError {
  return new CatalogueError('ServiceUnavailable', 'the module is stopping');
}

/** A text of a client as the log shows it. */
function quoted(text: unknown): string | undefined {
  return typeof text === 'string' ? text.slice(0, MAX_QUOTED) : undefined;
}
