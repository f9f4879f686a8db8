/** An RPC server with a client and a bare socket, for tests of what goes over the wire. */
import assert from 'node:assert/strict';
import type { TestContext } from 'node:test';
import { io, type Socket } from 'socket.io-client';
import { sleep } from '@zenko-modules/common/deadline';
import { silentLogger } from '@zenko-modules/common/logger';
import { RpcClient } from '../client.js';
import type { RpcLimits } from '../limits.js';
import { type RpcServer, startRpcServer } from '../server.js';
import type { RpcHandler } from '../service.js';

export const NAMESPACE = '/test/calls';

export interface Rig {
  readonly server: RpcServer;
  readonly url: string;
  readonly client: RpcClient;
  /** A bare socket in the namespace. */
  readonly socket: Socket;
  /** Why clients were cut off, one for each. */
  readonly cutOffs: readonly string[];
}

export async function startRig(
  t: TestContext,
  calls: Readonly<Record<string, RpcHandler>>,
  limits: Partial<RpcLimits> = {},
): Promise<Rig> {
  const cutOffs: string[] = [];
  const server = await startRpcServer({
    address: '127.0.0.1',
    port: 0,
    portSetting: 'TEST_PORT',
    services: [{ namespace: NAMESPACE, calls }],
    log: silentLogger(),
    limits,
    observer: { callAnswered: () => undefined, clientCutOff: reason => cutOffs.push(reason) },
  });
  const url = `http://127.0.0.1:${server.port}`;
  const client = new RpcClient({ url, namespace: NAMESPACE });
  const socket = connect(t, url + NAMESPACE);
  t.after(async () => {
    client.close();
    socket.disconnect();
    await server.close();
  });
  await event(socket, 'connect');
  return { server, url, client, socket, cutOffs };
}

export function connect(t: TestContext, url: string): Socket {
  const socket = io(url, { forceNew: true, reconnection: false });
  t.after(() => socket.disconnect());
  return socket;
}

/** The first argument of the next event of this name. */
export function event(socket: Socket, name: string): Promise<unknown> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => reject(new Error(`no ${name}`)), 30_000);
    socket.once(name, (payload: unknown) => {
      clearTimeout(timer);
      resolve(payload);
    });
  });
}

interface Answer {
  readonly err: Record<string, unknown> | null;
  readonly result: unknown;
}

/** Emits `call` with just these arguments and a function for the answer. */
export function raw(socket: Socket, ...args: unknown[]): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => reject(new Error('no answer')), 30_000);
    socket.emit('call', ...args, (err: Answer['err'], result: unknown) => {
      clearTimeout(timer);
      resolve({ err, result });
    });
  });
}

/** Numbers from 0 up to `count`; tells when it was freed. */
export class Numbers implements AsyncIterator<number> {
  readonly #count: number;
  taken = 0;
  freed = false;

  constructor(count = Infinity) {
    this.#count = count;
  }

  next(): Promise<IteratorResult<number, undefined>> {
    if (this.freed || this.taken >= this.#count) return Promise.resolve({ done: true, value: undefined });
    this.taken += 1;
    return Promise.resolve({ done: false, value: this.taken - 1 });
  }

  return(): Promise<IteratorResult<number, undefined>> {
    this.freed = true;
    return Promise.resolve({ done: true, value: undefined });
  }
}

export async function until(condition: () => boolean, what: string): Promise<void> {
  for (let waited = 0; !condition(); waited += 5) {
    assert.ok(waited < 30_000, what);
    await sleep(5);
  }
}
