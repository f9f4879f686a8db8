/** Binding a server to an address, with an error that a person understands. */
import type { Server } from 'node:net';
import { StartError } from './start-error.js';

/**
 * Resolves with the port that the server is bound to (the system's choice for port 0).
 * @throws StartError naming the setting when the port is in use or the address cannot be bound.
 */
export function listen(server: Server, portSetting: string, port: number, address: string): Promise<number> {
  return new Promise((resolve, reject) => {
    const onError = (err: NodeJS.ErrnoException): void => {
      reject(new StartError(`${portSetting}: ${reasonOf(err, port, address)}`, { cause: err }));
    };
    server.once('error', onError);
    server.listen(port, address, () => {
      server.off('error', onError);
      const bound = server.address();
      resolve(typeof bound === 'object' && bound !== null ? bound.port : port);
    });
  });
}

function reasonOf(err: NodeJS.ErrnoException, port: number, address: string): string {
  switch (err.code) {
    case 'EADDRINUSE':
      return `port ${port} on ${address} is already in use`;
    case 'EACCES':
      return `this user may not listen on port ${port} of ${address}`;
    case 'EADDRNOTAVAIL':
    case 'ENOTFOUND':
      return `LISTEN_ADDRESS ${address} is not an address of this machine`;
    default:
      return `cannot listen on ${address}:${port} (${err.message})`;
  }
}
