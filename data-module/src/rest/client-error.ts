/** Answers to what the HTTP parser refuses, before there is a request to route. */
import type { Duplex } from 'node:stream';
import type { ErrorType } from '@zenko-modules/common/errors';
import { errorBody } from './error-answer.js';

interface Refusal {
  readonly status: string;
  readonly type: ErrorType;
  readonly message: string;
}

const REFUSALS: Readonly<Record<string, Refusal>> = {
  HPE_HEADER_OVERFLOW: {
    status: '431 Request Header Fields Too Large',
    type: 'InvalidInput',
    message: 'the head of the request is too large',
  },
  ERR_HTTP_REQUEST_TIMEOUT: {
    status: '408 Request Timeout',
    type: 'InvalidInput',
    message: 'the head of the request did not come in time',
  },
  HPE_INVALID_EOF_STATE: {
    status: '400 Bad Request',
    type: 'IncompleteBody',
    message: 'the connection ended within the request',
  },
};

const MALFORMED: Refusal = {
  status: '400 Bad Request',
  type: 'InvalidInput',
  message: 'the request is no valid HTTP',
};

/** Whether the connection has broken: an everyday matter, and nothing that the client has sent. */
export function isBrokenConnection(err: NodeJS.ErrnoException): boolean {
  return err.code === 'ECONNRESET' || err.code === 'EPIPE' || err.code === 'ETIMEDOUT';
}

/** Answers and closes. Only closes when an answer to an earlier request is owed: these bytes would be taken for it. */
export function refuseMalformed(err: NodeJS.ErrnoException, socket: Duplex, owesAnswer: boolean): void {
  if (owesAnswer || !socket.writable) {
    socket.destroy();
    return;
  }
  const { status, type, message } = REFUSALS[err.code ?? ''] ?? MALFORMED;
  const body = errorBody({ type, message });
  const head = [
    `HTTP/1.1 ${status}`,
    'Connection: close',
    'Content-Type: application/json',
    `Content-Length: ${Buffer.byteLength(body)}`,
  ];
  socket.end(`${head.join('\r\n')}\r\n\r\n${body}`, () => socket.destroy());
}
