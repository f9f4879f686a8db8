/**
 * What clients before socket.io 3 need. They speak engine.io's protocol 3 and start with polling. There
 * socket.io-client 1 encodes text as UTF-8 twice, which no later server undoes, and does not say that it
 * does: "é" would become "Ã©" until the client has moved on to websocket. So the connection to a namespace
 * is only confirmed on websocket; until then a client holds its calls back.
 */
import type { Server, Socket } from 'socket.io';

/** Version 1 asks for a namespace by `0/name`, version 2 by `0/name,`. */
const CONNECT_OF_VERSION_1 = /^0\/[^,]*$/;

type Next = (err?: Error) => void;

/**
 * To be installed in every namespace that is offered to old clients. They move on within milliseconds,
 * unless something between them and us forbids it: then, after `timeoutMs`, version 2 may stay as it is.
 */
export function awaitUpgrade(io: Server, timeoutMs: number): (socket: Socket, next: Next) => void {
  const versionOne = new WeakSet<object>();
  io.engine.on('connection', (connection: Socket['conn']) => {
    if (connection.protocol !== 3) return;
    connection.on('data', (data: unknown) => {
      if (typeof data === 'string' && CONNECT_OF_VERSION_1.test(data)) versionOne.add(connection);
    });
  });
  return ({ conn }, next) => {
    if (conn.protocol !== 3 || conn.transport.name !== 'polling') {
      next();
      return;
    }
    const settle = (err?: Error): void => {
      clearTimeout(timer);
      conn.off('upgrade', onSettled);
      conn.off('close', onSettled);
      next(err);
    };
    const onSettled = (): void => settle();
    const timer = setTimeout(() => {
      settle(
        versionOne.has(conn) ? new Error('socket.io-client 1 must be able to use websocket') : undefined,
      );
    }, timeoutMs);
    conn.on('upgrade', onSettled);
    conn.on('close', onSettled);
  };
}
