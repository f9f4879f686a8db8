/** Bytes on a socket, as nobody's client would send them. */
import net from 'node:net';
import type { Random } from '@zenko-modules/common/testing/random';
import { chance, pick } from './choose.js';

/** Nothing more is expected after so long a silence. */
const SILENCE_MS = 60;
const LONGEST_MS = 2000;

/** Sends `bytes` in pieces, and resolves with what came back when all is silent. Never rejects. */
export function sendBytes(random: Random, port: number, bytes: Buffer): Promise<string> {
  const pieces = chance(random, 30) ? cut(random, bytes) : [bytes];
  const ending = pick(random, ['silence', 'silence', 'end', 'destroy'] as const);
  return new Promise(resolve => {
    const socket = net.connect({ port, host: '127.0.0.1', allowHalfOpen: true });
    let received = '';
    let silence: NodeJS.Timeout | undefined;
    const quiet = (): void => {
      clearTimeout(silence);
      silence = setTimeout(() => socket.destroy(), SILENCE_MS);
    };
    const longest = setTimeout(() => socket.destroy(), LONGEST_MS);
    socket.setEncoding('latin1').on('data', (text: string) => {
      if (received.length < 100_000) received += text;
      quiet();
    });
    socket.on('error', () => socket.destroy());
    socket.once('end', () => socket.destroy());
    socket.once('close', () => {
      clearTimeout(silence);
      clearTimeout(longest);
      resolve(received);
    });
    socket.once('connect', () => {
      const next = (): void => {
        const piece = pieces.shift();
        if (piece !== undefined) {
          socket.write(piece, () => setImmediate(next));
          return;
        }
        if (ending === 'destroy') socket.destroy();
        if (ending === 'end') socket.end();
        quiet();
      };
      next();
    });
  });
}

function cut(random: Random, bytes: Buffer): Buffer[] {
  const pieces: Buffer[] = [];
  for (let at = 0; at < bytes.length;) {
    const length = random.integer(1, Math.max(1, Math.ceil(bytes.length / 4)));
    pieces.push(bytes.subarray(at, at + length));
    at += length;
  }
  return pieces;
}
