/** What a part shows when it connects to another one over TLS. */
import { createSecureContext, type SecureContext } from 'node:tls';
import type { Logger } from '../logger.js';
import { followTlsFiles, readTlsFiles, type TlsFiles, type TlsMaterial } from './tls-files.js';

/** Connections that are made take what the files hold then. The owner closes it. */
export class TlsClient {
  #context: SecureContext;
  readonly #stop = new AbortController();

  private constructor(material: TlsMaterial) {
    this.#context = contextOf(material);
  }

  /** @throws StartError when the files cannot be read, or do not belong together */
  static async open(files: TlsFiles, log: Logger): Promise<TlsClient> {
    const first = await readTlsFiles(files);
    const client = new TlsClient(first);
    const onChange = (material: TlsMaterial): void => {
      client.#context = contextOf(material);
    };
    void followTlsFiles(files, first, onChange, log, client.#stop.signal);
    return client;
  }

  /** For `tls.connect`. */
  get secureContext(): SecureContext {
    return this.#context;
  }

  close(): void {
    this.#stop.abort();
  }
}

function contextOf({ cert, key, ca }: TlsMaterial): SecureContext {
  return createSecureContext({ cert, key, ca });
}
