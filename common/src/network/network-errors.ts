/** Errors of connections, as Node.js and its `fetch` name them by `code`. */
const NETWORK_CODES: ReadonlySet<unknown> = new Set([
  'ECONNREFUSED',
  'ECONNRESET',
  'ECONNABORTED',
  'EPIPE',
  'ENOTFOUND',
  'EAI_AGAIN',
  'ETIMEDOUT',
  'EHOSTUNREACH',
  'ENETUNREACH',
  'ERR_STREAM_DESTROYED',
  'UND_ERR_SOCKET',
  'UND_ERR_CONNECT_TIMEOUT',
  'UND_ERR_HEADERS_TIMEOUT',
  'UND_ERR_BODY_TIMEOUT',
]);

/** True for an error of a connection itself: the other side is away, or went away. Its causes are not looked at. */
export function isNetworkError(err: unknown): boolean {
  return typeof err === 'object' && err !== null && 'code' in err && NETWORK_CODES.has(err.code);
}
