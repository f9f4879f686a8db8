/** Questions to the probe ports of other parts. Not by `fetch`: it refuses the ports that browsers do, such as 4045. */
import http from 'node:http';

const MAX_CHARACTERS = 65_536;

export interface ProbeAnswer {
  readonly status: number;
  /** At most 64 Ki characters of it. */
  readonly text: string;
}

/** Rejects when there is no whole answer within `timeoutMs`. */
export function askProbe(url: string, timeoutMs: number, method = 'GET'): Promise<ProbeAnswer> {
  return new Promise((resolve, reject) => {
    const signal = AbortSignal.timeout(timeoutMs);
    const request = http.request(url, { method, agent: false, signal }, response => {
      let text = '';
      response.setEncoding('utf8');
      response.on('data', (piece: string) => {
        if (text.length < MAX_CHARACTERS) text += piece.slice(0, MAX_CHARACTERS - text.length);
      });
      response.on('end', () => resolve({ status: response.statusCode ?? 0, text }));
      response.on('error', reject);
    });
    request.on('error', err => reject(signal.aborted ? new Error(`none within ${timeoutMs} ms`) : err));
    request.end();
  });
}
