/** A request on a connection of its own: one that was kept could be closed under it by the server, as it may. */
import http from 'node:http';
import { once } from 'node:events';
import { buffer } from 'node:stream/consumers';

export interface Answer {
  readonly status: number;
  readonly headers: http.IncomingHttpHeaders;
  /** `undefined` when the connection was cut before its end. */
  readonly body: Buffer | undefined;
}

/** Rejects when there is no answer at all. */
export async function ask(url: string, method = 'GET', body: Buffer = Buffer.alloc(0)): Promise<Answer> {
  const request = http.request(url, { method, agent: false });
  request.end(body);
  const [response] = (await once(request, 'response')) as [http.IncomingMessage];
  const { statusCode: status = 0, headers } = response;
  return { status, headers, body: await buffer(response).catch(() => undefined) };
}
