/** An S3 endpoint that fails as one in front of the real one is told to. */
import http from 'node:http';
import type { TestContext } from 'node:test';
import { listen } from '@zenko-modules/common/listen';

/** An answer in place of the endpoint's, with an empty code one that is not of S3; `undefined`: the request goes through. */
export type Fault = { readonly status: number; readonly code: string } | 'cut' | undefined;

export interface FaultyProxy {
  readonly port: number;
  /** Requests that came, by method and path. */
  readonly requests: string[];
  /** Decides for each request, and may hold it back; may be replaced. */
  fault: (method: string, url: string) => Fault | Promise<Fault>;
}

export async function startFaultyProxy(
  t: Pick<TestContext, 'after'>,
  targetPort: number,
): Promise<FaultyProxy> {
  const handle = async (req: http.IncomingMessage, res: http.ServerResponse): Promise<void> => {
    const [method = '', url = ''] = [req.method, req.url];
    proxy.requests.push(`${method} ${url}`);
    const fault = await proxy.fault(method, url);
    if (fault === 'cut') {
      req.socket.destroy();
    } else if (fault) {
      req.resume();
      res.writeHead(fault.status, { 'content-type': 'application/xml' });
      const error = `<?xml version="1.0"?><Error><Code>${fault.code}</Code><Message>injected</Message></Error>`;
      res.end(fault.code === '' ? 'no backend\n' : error);
    } else {
      const { headers } = req;
      const through = http.request(
        { port: targetPort, host: '127.0.0.1', method, path: url, headers },
        answer => {
          res.writeHead(answer.statusCode ?? 500, answer.headers);
          answer.pipe(res);
        },
      );
      through.on('error', () => res.destroy());
      req.pipe(through);
    }
  };
  const server = http.createServer((req, res) => {
    handle(req, res).catch((err: unknown) => res.destroy(err instanceof Error ? err : undefined));
  });
  const proxy: FaultyProxy = {
    port: await listen(server, 'proxy', 0, '127.0.0.1'),
    requests: [],
    fault: () => undefined,
  };
  t.after(() => {
    server.close();
    server.closeAllConnections();
  });
  return proxy;
}
