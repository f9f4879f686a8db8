/** The three generations of socket.io-client that CloudServer has used, behind one small interface. */
import { createRequire } from 'node:module';
import type { TestContext } from 'node:test';
import { withDeadline } from '@zenko-modules/common/deadline';
import type { CallArguments, WireError } from '@zenko-modules/rpc/wire';

const DEADLINE_MS = 60_000;

/** What all generations have in common. */
export interface AnySocket {
  on(event: string, listener: (...args: never[]) => void): unknown;
  emit(event: string, ...args: unknown[]): unknown;
  disconnect(): unknown;
  /** What lies below, in version 4. */
  readonly io?: { readonly engine?: { readonly transport: { readonly ws?: { terminate(): void } } } };
}

type Connect = (url: string, options: Readonly<Record<string, unknown>>) => AnySocket;

const require = createRequire(import.meta.url);

export const GENERATIONS: readonly { readonly name: string; readonly connect: Connect }[] = [
  { name: 'socket.io-client 4', connect: (require('socket.io-client') as { io: Connect }).io },
  { name: 'socket.io-client 2', connect: require('socket.io-client-2') as Connect },
  { name: 'socket.io-client 1', connect: require('socket.io-client-1') as Connect },
];

export interface WireAnswer {
  readonly err: WireError | null;
  readonly result: unknown;
}

interface StreamState {
  readonly items: unknown[];
  done: boolean;
  error: WireError | undefined;
  changed: () => void;
}

/** A client as bare as the wire, which sees exactly what is sent. */
export class WireClient {
  readonly socket: AnySocket;
  readonly #streams = new Map<string, StreamState>();
  #acknowledges = true;

  private constructor(socket: AnySocket) {
    this.socket = socket;
    socket.on(
      'stream-data',
      ({ streamId, data }: { streamId: string; data: unknown[] }, ack: (err: null) => void) => {
        this.#update(streamId, stream => stream.items.push(...data));
        if (this.#acknowledges) ack(null);
      },
    );
    socket.on('stream-end', ({ streamId }: { streamId: string }, ack: (err: null) => void) => {
      this.#update(streamId, stream => {
        stream.done = true;
      });
      ack(null);
    });
    socket.on('stream-error', ({ streamId, error }: { streamId: string; error: WireError }) => {
      this.#update(streamId, stream => {
        stream.error = error;
      });
    });
  }

  /** Connects, and disconnects when the test ends. */
  static async connect(
    t: Pick<TestContext, 'after'>,
    url: string,
    { connect } = GENERATIONS[0] as (typeof GENERATIONS)[number],
  ): Promise<WireClient> {
    const socket = connect(url, { forceNew: true, reconnection: false });
    t.after(() => void socket.disconnect());
    const client = new WireClient(socket);
    const connected = new Promise<void>((resolve, reject) => {
      socket.on('connect', () => resolve());
      for (const event of ['connect_error', 'error']) {
        socket.on(event, (err: unknown) => reject(new Error(`${event}: ${JSON.stringify(err)}`)));
      }
    });
    await withDeadline(connected, DEADLINE_MS, `connecting to ${url}`);
    return client;
  }

  call(name: string, args: Partial<CallArguments>): Promise<WireAnswer> {
    return this.send(name, args);
  }

  /** Emits `call` with just these arguments, and a function for the answer behind them. */
  send(...args: unknown[]): Promise<WireAnswer> {
    const answered = new Promise<WireAnswer>(resolve => {
      this.socket.emit('call', ...args, (err: WireError | null, result: unknown) => resolve({ err, result }));
    });
    return withDeadline(answered, DEADLINE_MS, 'the answer to a call');
  }

  /** The items of a stream up to its end, or the first `enough` of them. Rejects when the stream fails. */
  async items(streamId: string, enough = Infinity): Promise<unknown[]> {
    const stream = this.#stream(streamId);
    const ended = (): boolean => stream.done || stream.error !== undefined || stream.items.length >= enough;
    while (!ended()) {
      const change = new Promise<void>(resolve => {
        stream.changed = resolve;
      });
      await withDeadline(change, DEADLINE_MS, 'the next items of a stream');
    }
    if (stream.error) throw new Error(`stream-error: ${stream.error.type}`, { cause: stream.error });
    return stream.items.slice(0, enough);
  }

  hangUp(streamId: string): void {
    this.socket.emit('stream-hangup', { streamId });
  }

  /** Reads on, but says no more that it did. */
  stopAcknowledging(): void {
    this.#acknowledges = false;
  }

  /** Cuts the connection without a word, as a machine does that loses its power. Version 4 only. */
  vanish(): void {
    const ws = this.socket.io?.engine?.transport.ws;
    if (!ws) throw new Error('not on websocket');
    ws.terminate();
  }

  #stream(streamId: string): StreamState {
    let stream = this.#streams.get(streamId);
    if (stream === undefined) {
      stream = { items: [], done: false, error: undefined, changed: () => undefined };
      this.#streams.set(streamId, stream);
    }
    return stream;
  }

  #update(streamId: string, change: (stream: StreamState) => void): void {
    const stream = this.#stream(streamId);
    change(stream);
    stream.changed();
  }
}

/** The id of the stream that a result, or one of its members, stands for. */
export function streamIdOf(result: unknown): string {
  const { $streamId, log } = result as { $streamId?: string; log?: { $streamId?: string } };
  const id = $streamId ?? log?.$streamId;
  if (id === undefined) throw new Error(`no stream in ${JSON.stringify(result)}`);
  return id;
}
