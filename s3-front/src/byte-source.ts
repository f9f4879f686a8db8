/** The bytes of a blob as the data module sends them. */
import type http from 'node:http';
import { Readable } from 'node:stream';
import { withDeadline } from '@zenko-modules/common/deadline';
import { CatalogueError, messageOf } from '@zenko-modules/common/errors';

/** Bytes that can be read once. `close` lets go of them at any time, read or not. */
export interface ByteSource extends AsyncIterable<Buffer> {
  close(): void;
  /** All of them, where they are at hand. */
  readonly whole?: Buffer | undefined;
}

export interface ByteRange {
  readonly first: number;
  readonly last: number;
}

/** The bytes of a response. The module must go on sending; how slowly they are taken here does not matter. */
export async function* bytesOf(
  response: http.IncomingMessage,
  stallMs: number,
): AsyncGenerator<Buffer, void, undefined> {
  const iterator = response[Symbol.asyncIterator]() as AsyncIterator<Buffer>;
  try {
    for (;;) {
      const next = await withDeadline(iterator.next(), stallMs, 'reading a blob');
      if (next.done) return;
      yield next.value;
    }
  } catch (err) {
    throw cutOff(err);
  } finally {
    response.destroy();
  }
}

/** The same as a whole. @param ms that the module has to send it */
export async function wholeOf(response: http.IncomingMessage, ms: number): Promise<Buffer> {
  const parts: Buffer[] = [];
  const ended = new Promise<void>((resolve, reject) => {
    response.on('data', (bytes: Buffer) => parts.push(bytes));
    response.once('end', resolve).once('error', reject);
  });
  try {
    await withDeadline(ended, ms, 'reading a blob');
    return parts.length === 1 && parts[0] ? parts[0] : Buffer.concat(parts);
  } catch (err) {
    response.destroy();
    throw cutOff(err);
  }
}

function cutOff(err: unknown): CatalogueError {
  return new CatalogueError('ServiceUnavailable', `a blob was cut off: ${messageOf(err)}`, { cause: err });
}

export function atHand(whole: Buffer): ByteSource {
  return { [Symbol.asyncIterator]: () => Readable.from([whole]).iterator(), close: () => undefined, whole };
}
