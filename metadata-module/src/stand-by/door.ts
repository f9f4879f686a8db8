/**
 * The port of a module that may or may not own its store. It is open for as long as the module runs. What
 * comes is served here, or passed on to the owner; while there is none it is held for a while, then closed.
 *
 * It knows connections and bytes, not calls. One that was made to an owner ends with it: clients connect
 * again, and make up their minds about what was under way.
 */
import { setMaxListeners } from 'node:events';
import net from 'node:net';
import { pipeline } from 'node:stream/promises';
import { sleep } from '@zenko-modules/common/deadline';
import { listen } from '@zenko-modules/common/listen';
import type { Logger } from '@zenko-modules/common/logger';
import { messageOf } from '@zenko-modules/common/errors';
import type { AddressList } from '@zenko-modules/common/network/address-list';
import { admitFrom } from '@zenko-modules/common/network/admit-from';
import type { Refusals } from '@zenko-modules/common/network/refusals';
import { splitAddress } from './address.js';

export interface DoorOptions {
  readonly address: string;
  readonly port: number;
  /** The setting that the port came from, for the message when it is in use. */
  readonly portSetting: string;
  /** Whose connections are held, served or passed on: the owner sees this process in the place of its clients. Without it, everybody's. */
  readonly admission?: { readonly allowFrom: AddressList | undefined; readonly refusals: Refusals };
  readonly log: Logger;
  /** How long a connection waits for somebody to serve it. */
  readonly holdMs?: number;
  /** Connections that are held or passed on at once; more are closed as they come. */
  readonly maxConnections?: number;
}

/** Longer than it takes until another process has taken over, shorter than a client's patience with a call. */
const HOLD_MS = 10_000;
/** What is passed on takes a socket on either side. Also the end of a circle, if modules advertise a name that leads to any of them. */
const MAX_CONNECTIONS = 10_000;
/** An owner whose machine has gone does not refuse a connection. */
const CONNECT_MS = 2000;
const AGAIN_MS = 100;

type Target =
  | { readonly to: 'nobody' }
  | { readonly to: 'here'; readonly server: net.Server }
  | { readonly to: 'owner'; readonly id: string; readonly address: string };

export class Door {
  readonly #options: DoorOptions;
  readonly #server: net.Server;
  #port = 0;
  #target: Target = { to: 'nobody' };
  /** Aborted when the target changes: ends what was passed to it, and lets those who wait look again. */
  #term = newTerm();
  readonly #waiting = new Set<net.Socket>();
  readonly #passed = new Set<net.Socket>();
  readonly #served = new Set<net.Socket>();

  private constructor(options: DoorOptions) {
    this.#options = options;
    // As an HTTP server makes its own. Not a byte is read before it is known who is to read it.
    const likeHttp = { allowHalfOpen: true, noDelay: true, pauseOnConnect: true };
    this.#server = net.createServer(likeHttp, socket => void this.#admit(socket));
    const { admission, portSetting } = options;
    if (admission) admitFrom(this.#server, { ...admission, portSetting });
  }

  /** @throws StartError when the port cannot be bound */
  static async open(options: DoorOptions): Promise<Door> {
    const door = new Door(options);
    const { portSetting, port, address } = options;
    door.#port = await listen(door.#server, portSetting, port, address);
    return door;
  }

  get port(): number {
    return this.#port;
  }

  /** Connections that wait for somebody to serve them. */
  get waiting(): number {
    return this.#waiting.size;
  }

  /** Connections that are passed on to the owner. */
  get passedOn(): number {
    return this.#passed.size;
  }

  /** Ends what is passed on. What comes from now on is held until there is somebody to serve it. */
  hold(): void {
    this.#change({ to: 'nobody' });
  }

  /** Passes connections on to an owner. What was passed on to another one ends. */
  passTo(owner: { readonly id: string; readonly address: string }): void {
    const { id, address } = owner;
    const current = this.#target;
    if (current.to === 'owner' && current.id === id && current.address === address) return;
    this.#change({ to: 'owner', id, address });
  }

  /** Ends what is passed on, and gives the server its connections from now on. Returns the port. */
  serve(server: net.Server): number {
    this.#change({ to: 'here', server });
    return this.#port;
  }

  /** Cuts every connection that is served here. */
  cut(): void {
    for (const socket of this.#served) socket.destroy();
  }

  /** Lets nobody in from now on; what is served here goes on. */
  shut(): void {
    this.#server.close();
    this.#change(this.#target.to === 'here' ? this.#target : { to: 'nobody' });
    for (const socket of this.#waiting) socket.destroy();
  }

  #change(target: Target): void {
    this.#target = target;
    const former = this.#term;
    this.#term = newTerm();
    former.abort();
  }

  async #admit(socket: net.Socket): Promise<void> {
    socket.on('error', () => socket.destroy());
    const { holdMs = HOLD_MS, maxConnections = MAX_CONNECTIONS } = this.#options;
    if (this.#waiting.size + this.#passed.size >= maxConnections) {
      socket.destroy();
      return;
    }
    this.#waiting.add(socket);
    const overdue = setTimeout(() => socket.destroy(), holdMs);
    socket.once('close', () => {
      clearTimeout(overdue);
      this.#waiting.delete(socket);
    });
    while (!socket.destroyed && !(await this.#tryToPass(socket))) {
      await sleep(this.#target.to === 'nobody' ? holdMs : AGAIN_MS, this.#term.signal);
    }
    clearTimeout(overdue);
    this.#waiting.delete(socket);
  }

  /** True when there is somebody who serves the connection now. */
  async #tryToPass(socket: net.Socket): Promise<boolean> {
    const target = this.#target;
    const { signal } = this.#term;
    if (target.to === 'nobody') return false;
    if (target.to === 'here') {
      this.#served.add(socket);
      socket.once('close', () => this.#served.delete(socket));
      target.server.emit('connection', socket);
      socket.resume();
      return true;
    }
    const upstream = await this.#connect(target.address, signal);
    if (upstream === undefined) return false;
    if (socket.destroyed) upstream.destroy();
    else void this.#pass(socket, upstream, signal);
    return true;
  }

  async #connect(address: string, signal: AbortSignal): Promise<net.Socket | undefined> {
    const { log } = this.#options;
    try {
      return await connect(address, signal);
    } catch (err) {
      if (!signal.aborted) log.debug({ address, reason: messageOf(err) }, 'the owner cannot be reached');
      return undefined;
    }
  }

  /** Both ways, until one end leaves or the owner is none any more. */
  async #pass(socket: net.Socket, upstream: net.Socket, signal: AbortSignal): Promise<void> {
    this.#passed.add(socket);
    try {
      await pipeline(socket, upstream, socket, { signal });
    } catch {
      // Whichever end broke or was cut, both are gone.
    } finally {
      socket.destroy();
      upstream.destroy();
      this.#passed.delete(socket);
    }
  }
}

/** Every connection that waits or is passed on listens to it. */
function newTerm(): AbortController {
  const term = new AbortController();
  setMaxListeners(0, term.signal);
  return term;
}

/** Resolves with a connection. Rejects when there is none in time, or `signal` is aborted. */
export function connect(address: string, signal: AbortSignal): Promise<net.Socket> {
  return new Promise((resolve, reject) => {
    const socket = net.connect({ ...splitAddress(address), allowHalfOpen: true, noDelay: true });
    const fail = (err: Error): void => {
      socket.destroy();
      reject(err);
    };
    const onAbort = (): void => fail(new Error('it is no longer wanted'));
    const timer = setTimeout(() => fail(new Error(`no connection within ${CONNECT_MS} ms`)), CONNECT_MS);
    signal.addEventListener('abort', onAbort, { once: true });
    socket.once('connect', () => resolve(socket));
    socket.on('error', fail);
    const settled = (): void => {
      clearTimeout(timer);
      signal.removeEventListener('abort', onAbort);
    };
    socket.once('connect', settled).once('close', settled);
    if (signal.aborted) onAbort();
  });
}
