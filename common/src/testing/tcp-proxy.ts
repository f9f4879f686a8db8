/** A TCP proxy that harms connections, for tests of what clients make of it. */
import net from 'node:net';
import type { TestContext } from 'node:test';
import { sleep } from '../deadline.js';

/**
 * `reset`: cut with RST. `close`: closed cleanly. `stall`: not another byte passes, and the connection stays.
 * `hold`: the same, but what the client sent comes to the server in the end, see `letPass`.
 */
export type Harm = 'reset' | 'close' | 'stall' | 'hold';

export interface HarmSpec {
  readonly harm: Harm;
  /** Which bytes are counted: those of the server's answers, or of the client's requests. Default: answers. */
  readonly of?: 'answers' | 'requests';
  /** The harm comes after so many of these bytes have passed, on one connection, counted from now on. */
  readonly afterBytes: number;
  /** How many times, each on a connection of its own. Default: once. */
  readonly times?: number;
}

export interface TcpProxy {
  readonly port: number;
  /** Connections accepted so far. */
  readonly accepted: () => number;
  /** Connections that are open now. */
  readonly open: () => number;
  /** Times that harm has been done. */
  readonly harmed: () => number;
  /** Lies in wait; replaces an earlier harm that has not come yet. */
  readonly arm: (spec: HarmSpec) => void;
  /** Does harm to all open connections, at once. */
  readonly harmAll: (harm: Harm) => void;
  /** Passes on what clients sent on connections that are held, also when they have left. */
  readonly letPass: () => void;
  /** Delays every byte of the answers by so many milliseconds, from now on. */
  readonly delayAnswers: (ms: number) => void;
  /** From now on new connections are reset as soon as they are made, or served again. */
  readonly refuse: (refuse: boolean) => void;
  /** From now on not another byte passes, on open and on new connections alike; or new ones are served again. */
  readonly standStill: (still: boolean) => void;
  readonly close: () => Promise<void>;
}

const RESET_LAG_MS = 50;

/** A proxy before `127.0.0.1:<target>`; closed when the test ends. */
export async function startTcpProxy(t: Pick<TestContext, 'after'>, target: number): Promise<TcpProxy> {
  const pairs = new Set<Pair>();
  const state: State = {
    armed: undefined,
    left: 0,
    harmed: 0,
    delayMs: 0,
    refusing: false,
    still: false,
    held: new Set(),
  };
  let accepted = 0;
  const server = net.createServer(client => {
    accepted += 1;
    if (state.refusing) {
      reset(client);
      return;
    }
    const pair = new Pair(client, target, state);
    if (state.still) pair.suffer('stall');
    pairs.add(pair);
    client.once('close', () => pairs.delete(pair));
  });
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve));
  const close = (): Promise<void> =>
    new Promise(resolve => {
      server.close(() => resolve());
      for (const pair of [...pairs, ...state.held]) pair.suffer('reset');
    });
  let closing: Promise<void> | undefined;
  const closeOnce = (): Promise<void> => (closing ??= close());
  t.after(closeOnce);
  return {
    port: (server.address() as net.AddressInfo).port,
    accepted: () => accepted,
    open: () => pairs.size,
    harmed: () => state.harmed,
    arm: spec => {
      state.armed = spec;
      state.left = spec.times ?? 1;
      for (const pair of pairs) pair.resetCount();
    },
    harmAll: harm => {
      for (const pair of [...pairs]) pair.suffer(harm);
    },
    letPass: () => {
      for (const pair of [...state.held]) pair.letPass();
    },
    delayAnswers: ms => {
      state.delayMs = ms;
    },
    refuse: refuse => {
      state.refusing = refuse;
    },
    standStill: still => {
      state.still = still;
      if (still) for (const pair of pairs) pair.suffer('stall');
    },
    close: closeOnce,
  };
}

interface State {
  armed: HarmSpec | undefined;
  left: number;
  harmed: number;
  delayMs: number;
  refusing: boolean;
  still: boolean;
  readonly held: Set<Pair>;
}

/** One client's connection and the one to the server that serves it. */
class Pair {
  readonly #client: net.Socket;
  readonly #upstream: net.Socket;
  readonly #state: State;
  #passed = { answers: 0, requests: 0 };
  #stalled = false;
  /** What the client has sent since it was held. */
  #kept: Buffer[] | undefined;

  constructor(client: net.Socket, target: number, state: State) {
    this.#client = client;
    this.#upstream = net.connect(target, '127.0.0.1');
    this.#state = state;
    this.#pass(this.#client, this.#upstream, 'requests');
    this.#pass(this.#upstream, this.#client, 'answers');
  }

  resetCount(): void {
    this.#passed = { answers: 0, requests: 0 };
  }

  suffer(harm: Harm): void {
    if (harm === 'stall' || harm === 'hold') {
      this.#stalled = true;
      if (harm === 'stall') return;
      this.#kept ??= [];
      this.#state.held.add(this);
    } else {
      if (harm === 'reset') reset(this.#client);
      else this.#client.end(() => this.#client.destroy());
      this.#upstream.destroy();
    }
  }

  letPass(): void {
    this.#state.held.delete(this);
    this.#upstream.end(Buffer.concat(this.#kept ?? []));
  }

  #pass(from: net.Socket, to: net.Socket, what: 'answers' | 'requests'): void {
    let forwarding: Promise<void> = Promise.resolve();
    from.on('data', (data: Buffer) => {
      // What comes after a stall is lost; it is still read, so that the other end's leaving is noticed.
      if (this.#stalled) {
        if (what === 'requests') this.#kept?.push(data);
        return;
      }
      from.pause();
      forwarding = this.#forward(data, to, what).then(
        () => void from.resume(),
        () => void from.destroy(),
      );
    });
    // Either end may break; the other follows, unless it is to stand still.
    from.on('error', () => from.destroy());
    from.once('close', () => {
      // What came last may be on its way yet.
      if (!this.#stalled) void forwarding.then(() => to.destroySoon());
      else if (from === this.#client && this.#kept === undefined) to.destroy();
    });
  }

  async #forward(data: Buffer, to: net.Socket, what: 'answers' | 'requests'): Promise<void> {
    if (what === 'answers' && this.#state.delayMs > 0) await sleep(this.#state.delayMs);
    const harm = this.#due(data.length, what);
    const passing = harm === undefined ? data : data.subarray(0, harm.room);
    if (passing.length > 0) await new Promise<void>(resolve => to.write(passing, () => resolve()));
    if (harm === undefined) return;
    // A reset that overtakes bytes is taken for a clean close by Node: the client has to read them first.
    if (harm.harm === 'reset') await sleep(RESET_LAG_MS).then(afterPolling);
    this.suffer(harm.harm);
    if (what === 'requests') this.#kept?.push(data.subarray(harm.room));
  }

  /** The harm that comes within the next `bytes`, and how many of them still pass. */
  #due(bytes: number, what: 'answers' | 'requests'): { harm: Harm; room: number } | undefined {
    const { armed } = this.#state;
    if (armed === undefined || this.#state.left === 0 || (armed.of ?? 'answers') !== what) return undefined;
    const room = armed.afterBytes - this.#passed[what];
    this.#passed[what] += bytes;
    if (room >= bytes) return undefined;
    this.#state.left -= 1;
    this.#state.harmed += 1;
    return { harm: armed.harm, room: Math.max(0, room) };
  }
}

/** `resetAndDestroy` sends FIN before RST, which the other end takes for a clean close. This is its second half alone. */
function reset(socket: net.Socket): void {
  if (socket.writable) Object.assign(socket, { resetAndClosing: true });
  socket.destroy();
}

/** Resolves when this process has looked at its sockets once more, also when it was too busy to for a while. */
async function afterPolling(): Promise<void> {
  await new Promise(resolve => setImmediate(resolve));
  await new Promise(resolve => setImmediate(resolve));
}
