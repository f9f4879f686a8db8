/** Watches all that arrives on a server's port before it is a message: frames of web sockets, and bodies of polling clients. */
import type http from 'node:http';
import type { Duplex } from 'node:stream';
import type { RawData, WebSocket } from 'ws';
import type { UnfinishedMessages } from './unfinished-messages.js';

/** RFC 6455: "try again later". */
const TRY_AGAIN_LATER = 1013;
const REASON = 'SlowDown: unfinished messages of all clients take too much memory';

/** Counts what a web socket has begun to send. To be called before anybody else listens to it. */
export function countFrames(
  client: WebSocket,
  connection: Duplex,
  unfinished: UnfinishedMessages,
  onRefused: () => void,
): void {
  const message = unfinished.open(() => {
    onRefused();
    client.close(TRY_AGAIN_LATER, REASON);
    // The reason is on its way. A client that goes on with its message would never come to the orderly end.
    setImmediate(() => client.terminate());
  });
  // Before those who take the messages out of it.
  connection.prependListener('data', (piece: Buffer) => message.received(piece.length));
  client.prependListener('message', (data: RawData) => message.finished(frameLength(data)));
  connection.once('close', () => message.end());
}

/** Counts the bodies of requests while they come in. Call it when the server has its own listeners. */
export function countBodies(
  httpServer: http.Server,
  unfinished: UnfinishedMessages,
  onRefused: () => void,
): void {
  httpServer.on('request', (req, res) => {
    // Bodies of other methods are not read.
    if (req.method !== 'POST' || res.writableEnded) return;
    const body = unfinished.open(() => {
      onRefused();
      req.pause();
      if (!res.headersSent) res.writeHead(503, { 'content-type': 'application/json', connection: 'close' });
      res.end(JSON.stringify({ code: 503, message: REASON }));
      // The answer is on its way. The client may go on with its body for ever.
      setImmediate(() => req.destroy());
    });
    req.on('data', (piece: Buffer | string) => {
      if (!res.writableEnded) body.received(Buffer.byteLength(piece));
    });
    req.once('end', () => body.end());
    res.once('close', () => body.end());
  });
}

/** RFC 6455, 5.2: a client's frame is its length in 1, 3 or 9 bytes, a mask, and the data. */
function frameLength(data: RawData): number {
  const length = Array.isArray(data) ? data.reduce((sum, part) => sum + part.length, 0) : data.byteLength;
  return 6 + (length < 126 ? 0 : length < 65_536 ? 2 : 8) + length;
}
