import type { Server, Socket } from 'node:net';
import type { AddressList } from './address-list.js';
import type { Refusals } from './refusals.js';

export interface AdmissionOptions {
  /** Without it, all are let in. */
  readonly allowFrom: AddressList | undefined;
  readonly portSetting: string;
  readonly refusals: Refusals;
}

/**
 * Closes connections from elsewhere as they come, before a byte of them is read. To be called when the server has
 * its listeners for connections: it stands before those.
 */
export function admitFrom(server: Server, { allowFrom, portSetting, refusals }: AdmissionOptions): void {
  if (allowFrom === undefined) return;
  const listeners = server.listeners('connection');
  server.removeAllListeners('connection');
  server.on('connection', (socket: Socket) => {
    const { remoteAddress } = socket;
    if (allowFrom.has(remoteAddress)) {
      for (const listener of listeners) Reflect.apply(listener, server, [socket]);
      return;
    }
    socket.destroy();
    refusals.add(portSetting, 'address', { address: remoteAddress });
  });
}
