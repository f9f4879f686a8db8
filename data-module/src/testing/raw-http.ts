/** HTTP by hand, for what no client library would send. */
import net from 'node:net';
import { withDeadline } from '@zenko-modules/common/deadline';

const DEADLINE_MS = 20_000;

export interface RawConnection {
  readonly write: (text: string | Buffer) => void;
  /** Says that nothing more will be sent, and goes on listening. */
  readonly end: () => void;
  readonly destroy: () => void;
  /** Everything that came so far. */
  readonly received: () => string;
  /** Resolves when what came holds `text`. */
  readonly until: (text: string) => Promise<void>;
  /** Resolves with everything that came when the server has closed the connection, cleanly or not. */
  readonly closed: Promise<string>;
}

export function connectRaw(port: number): RawConnection {
  const socket = net.connect({ port, host: '127.0.0.1', allowHalfOpen: true });
  let received = '';
  const watchers = new Set<() => void>();
  socket.setEncoding('latin1').on('data', (text: string) => {
    received += text;
    watchers.forEach(check => check());
  });
  // A reset is one of the ways in which a server may close.
  socket.on('error', () => socket.destroy());
  socket.once('end', () => socket.end());
  const closed = new Promise<string>(resolve => socket.once('close', () => resolve(received)));
  return {
    write: text => void socket.write(text),
    end: () => void socket.end(),
    destroy: () => void socket.destroy(),
    received: () => received,
    until: text =>
      withDeadline(
        new Promise(resolve => {
          const check = (): void => {
            if (received.includes(text)) resolve();
          };
          watchers.add(check);
          check();
        }),
        DEADLINE_MS,
        `waiting for "${text}"`,
      ),
    closed: withDeadline(closed, DEADLINE_MS, 'the end of the connection'),
  };
}

/** Sends `text`; resolves with all that the server answered until it closed. */
export async function exchangeRaw(port: number, text: string | Buffer): Promise<string> {
  const connection = connectRaw(port);
  connection.write(text);
  return connection.closed;
}
