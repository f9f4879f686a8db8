/** Cases for a server of HTTP: valid requests that are changed, cut, and sent many at once. */
import type { Random } from '@zenko-modules/common/testing/random';
import { chance, mutate } from './choose.js';
import { STACK_TRACE } from './damaged-files.js';
import { sendBytes } from './raw-bytes.js';
import { Finding } from './target.js';

/** Connections of one case, at once. */
const AT_ONCE = 6;
const PIPELINED = 5;

export interface HttpSubject {
  readonly port: number;
  /** A request as a client sends it. */
  readonly validRequest: (random: Random) => Promise<Buffer>;
}

/** Resolves when all connections of the case are closed. @throws Finding for an answer that no server may give */
export async function tryHttp(random: Random, { port, validRequest }: HttpSubject): Promise<void> {
  const sent: Promise<string>[] = [];
  for (let count = random.integer(1, AT_ONCE); count > 0; count -= 1) {
    const requests: Buffer[] = [];
    for (let left = chance(random, 30) ? random.integer(2, PIPELINED) : 1; left > 0; left -= 1) {
      const request = await validRequest(random);
      requests.push(chance(random, 75) ? mutate(random, request) : request);
    }
    sent.push(sendBytes(random, port, Buffer.concat(requests)));
  }
  for (const answer of await Promise.all(sent)) checkAnswer(answer);
}

function checkAnswer(answer: string): void {
  if (answer === '') return;
  if (!/^HTTP\/1\.1 \d{3} /.test(answer))
    throw new Finding('an answer that is not HTTP', answer.slice(0, 500));
  if (STACK_TRACE.test(answer)) throw new Finding('a stack trace in an answer', answer.slice(0, 2000));
}

export interface RequestParts {
  readonly method: string;
  /** As it goes on the wire. */
  readonly path: string;
  readonly headers: Readonly<Record<string, string | number>>;
  readonly body?: Buffer;
}

export function requestBytes({ method, path, headers, body }: RequestParts): Buffer {
  const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`);
  const head = `${method} ${path} HTTP/1.1\r\n${lines.join('')}\r\n`;
  return Buffer.concat([Buffer.from(head, 'latin1'), body ?? Buffer.alloc(0)]);
}

/** A body in chunks of HTTP. */
export function chunked(random: Random, body: Buffer): Buffer {
  const chunks: Buffer[] = [];
  for (let at = 0; at < body.length;) {
    const piece = body.subarray(at, at + random.integer(1, body.length));
    chunks.push(Buffer.from(`${piece.length.toString(16)}\r\n`), piece, Buffer.from('\r\n'));
    at += piece.length;
  }
  return Buffer.concat([...chunks, Buffer.from('0\r\n\r\n')]);
}
