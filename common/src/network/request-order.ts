/**
 * The order of requests on a connection: one begins when the answer before it has gone. Clients may send many in one
 * packet and read nothing; what has not begun costs no more than its head, and nothing further is read then. Node.js itself
 * fails, with the process, over some answers that end before those to earlier requests.
 */
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';

/**
 * While fewer than this wait, the connection is read: only who reads learns that the client has gone. What has been read
 * by then may hold some more.
 */
const MOST_WAITING = 32;

export interface PendingRequest {
  readonly req: IncomingMessage;
  readonly res: ServerResponse;
}

interface Line {
  current: PendingRequest | undefined;
  readonly waiting: PendingRequest[];
}

export class RequestOrder {
  readonly #begin: (request: PendingRequest) => void;
  readonly #lines = new WeakMap<Socket, Line>();

  /** @param begin is called with each request in its turn */
  constructor(begin: (request: PendingRequest) => void) {
    this.#begin = begin;
  }

  add(request: PendingRequest): void {
    const { socket } = request.req;
    // Node.js reads on in what has come. Those before this one may have been dropped, and this one's answer would come before theirs.
    if (!socket.writable) return;
    const line = this.#lines.get(socket) ?? this.#newLine(socket);
    if (line.current === undefined) this.#start(line, request);
    else {
      line.waiting.push(request);
      if (line.waiting.length >= MOST_WAITING) socket.pause();
    }
  }

  /** The request of this connection that is being worked on. */
  current(socket: Socket): PendingRequest | undefined {
    return this.#lines.get(socket)?.current;
  }

  /** Whether bytes written now would be taken for an answer, or a part of one, to a request that was in order. */
  owesAnswer(socket: Socket): boolean {
    const line = this.#lines.get(socket);
    const latest = line?.waiting.at(-1) ?? line?.current;
    if (latest === undefined || latest.res.writableFinished) return false;
    return latest.req.complete || latest.res.headersSent;
  }

  #newLine(socket: Socket): Line {
    const line: Line = { current: undefined, waiting: [] };
    this.#lines.set(socket, line);
    // Node.js reads on whenever a body is read, also one whose end has come.
    socket.on('resume', () => {
      if (line.waiting.length >= MOST_WAITING) socket.pause();
    });
    return line;
  }

  #start(line: Line, request: PendingRequest): void {
    line.current = request;
    request.res.once('close', () => this.#next(line, request.req.socket));
    this.#begin(request);
  }

  #next(line: Line, socket: Socket): void {
    line.current = undefined;
    // No answer could be sent any more.
    if (!socket.writable) {
      line.waiting.length = 0;
      return;
    }
    const next = line.waiting.shift();
    if (next === undefined) return;
    if (line.waiting.length < MOST_WAITING) socket.resume();
    this.#start(line, next);
  }
}
