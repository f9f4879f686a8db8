/** Where a part reaches a module: its port for TLS, where that is set. */
import type { TlsClient } from './tls-client.js';

export interface ModuleAddress {
  readonly host: string;
  readonly port: number;
  /** With it, over TLS. */
  readonly tls?: TlsClient | undefined;
}

export function moduleAddress(
  host: string,
  port: number,
  tlsPort: number | undefined,
  tls: TlsClient | undefined,
): ModuleAddress {
  return tlsPort === undefined ? { host, port } : { host, port: tlsPort, tls };
}
