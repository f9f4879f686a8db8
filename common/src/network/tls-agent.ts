import type http from 'node:http';
import https from 'node:https';
import type { Duplex } from 'node:stream';
import type tls from 'node:tls';
import type { TlsClient } from './tls-client.js';

/** Makes its connections with what `tls` shows now. */
export class TlsAgent extends https.Agent {
  readonly #tls: TlsClient;

  constructor(tls: TlsClient, options: http.AgentOptions = {}) {
    // A session that is taken up again would show the certificate with which it began.
    super({ ...options, maxCachedSessions: 0 });
    this.#tls = tls;
  }

  override createConnection(
    options: https.RequestOptions & tls.ConnectionOptions,
    callback?: (err: Error | null, stream: Duplex) => void,
  ): Duplex | null | undefined {
    const secured: typeof options = { ...options, secureContext: this.#tls.secureContext };
    return super.createConnection(secured, callback);
  }
}
