/** TLS before an HTTP server: only clients that show a certificate of our authorities get through to it. */
import type { Socket } from 'node:net';
import tls from 'node:tls';
import type { Logger } from '../logger.js';
import type { Refusals } from './refusals.js';
import { followTlsFiles, readTlsFiles, type TlsFiles, type TlsMaterial } from './tls-files.js';

const HANDSHAKE_MS = 10_000;
/** Each takes some memory and processor time before its client has shown who it is. */
const MAX_HANDSHAKES = 256;

export interface TlsAcceptorOptions {
  readonly files: TlsFiles;
  /** Takes the connections whose handshake has succeeded. */
  readonly serve: (socket: tls.TLSSocket) => void;
  /** The setting that the port came from. */
  readonly portSetting: string;
  readonly refusals: Refusals;
  readonly log: Logger;
  /** How long a handshake may take. */
  readonly handshakeMs?: number;
  /** Handshakes that may be under way; beyond that the oldest one is cut off. */
  readonly maxHandshakes?: number;
}

export class TlsAcceptor {
  /** Listens, or is given connections by another that does. */
  readonly server: tls.Server;
  readonly #options: TlsAcceptorOptions;
  readonly #stop = new AbortController();
  /** By the client's address and port. */
  readonly #handshakes = new Map<string, Socket>();

  private constructor(options: TlsAcceptorOptions, material: TlsMaterial) {
    this.#options = options;
    this.server = tls.createServer({
      ...material,
      requestCert: true,
      rejectUnauthorized: true,
      handshakeTimeout: options.handshakeMs ?? HANDSHAKE_MS,
      ALPNProtocols: ['http/1.1'],
      noDelay: true,
    });
    this.server.on('connection', (socket: Socket) => this.#begin(socket));
    this.server.on('secureConnection', socket => {
      this.#handshakes.delete(peerOf(socket));
      options.serve(socket);
    });
    this.server.on('tlsClientError', (err, socket) => this.#failed(err, socket));
  }

  /** @throws StartError when the files cannot be read, or do not belong together */
  static async create(options: TlsAcceptorOptions): Promise<TlsAcceptor> {
    const { files, log } = options;
    const first = await readTlsFiles(files);
    const acceptor = new TlsAcceptor(options, first);
    const onChange = (material: TlsMaterial): void => acceptor.server.setSecureContext(material);
    void followTlsFiles(files, first, onChange, log, acceptor.#stop.signal);
    return acceptor;
  }

  /** Ends handshakes that are under way, and looks at the files no more. What is connected goes on. */
  close(): void {
    this.#stop.abort();
    for (const socket of this.#handshakes.values()) socket.destroy();
  }

  #begin(socket: Socket): void {
    const { portSetting, refusals, maxHandshakes = MAX_HANDSHAKES } = this.#options;
    const peer = peerOf(socket);
    socket.on('error', () => socket.destroy());
    this.#handshakes.set(peer, socket);
    socket.once('close', () => {
      if (this.#handshakes.get(peer) === socket) this.#handshakes.delete(peer);
    });
    if (this.#handshakes.size <= maxHandshakes) return;
    const [oldest] = this.#handshakes.values();
    if (oldest === undefined) return;
    refusals.add(portSetting, 'too many handshakes', { address: oldest.remoteAddress });
    oldest.destroy();
  }

  #failed(err: NodeJS.ErrnoException, socket: tls.TLSSocket): void {
    const { portSetting, refusals, log } = this.#options;
    const address = socket.remoteAddress;
    // Without a certificate in order the connection is cut, which looks like a reset.
    const reason = String([socket.authorizationError, err.code].find(Boolean) ?? err.message);
    socket.destroy();
    // Whoever only looks whether the port is open leaves like this.
    if (reason === 'ECONNRESET') log.debug({ address }, 'a connection has ended before its TLS handshake');
    else refusals.add(portSetting, 'handshake', { address, reason });
  }
}

function peerOf({ remoteAddress, remotePort }: Socket): string {
  return `${remoteAddress} ${remotePort}`;
}
