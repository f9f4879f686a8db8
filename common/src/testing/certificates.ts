/** Authorities and certificates for tests, made by openssl. */
import { execFile } from 'node:child_process';
import { mkdir } from 'node:fs/promises';
import path from 'node:path';
import { promisify } from 'node:util';

export interface CertificateFiles {
  readonly cert: string;
  readonly key: string;
}

const EC_KEY = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes'];

async function make(
  files: CertificateFiles,
  name: string,
  args: readonly string[],
): Promise<CertificateFiles> {
  const out = ['-keyout', files.key, '-out', files.cert, '-days', '2', '-subj', `/CN=${name}`];
  await promisify(execFile)('openssl', ['req', '-x509', ...EC_KEY, ...out, ...args]);
  return files;
}

export class TestAuthority {
  readonly #folder: string;
  readonly #files: CertificateFiles;

  private constructor(folder: string, files: CertificateFiles) {
    this.#folder = folder;
    this.#files = files;
  }

  /** @param folder is made for its files */
  static async make(folder: string): Promise<TestAuthority> {
    await mkdir(folder);
    const files = { cert: path.join(folder, 'ca.crt'), key: path.join(folder, 'ca.key') };
    return new TestAuthority(folder, await make(files, path.basename(folder), []));
  }

  get cert(): string {
    return this.#files.cert;
  }

  /** For servers at 127.0.0.1, and for clients. */
  async issue(name: string): Promise<CertificateFiles> {
    const files = {
      cert: path.join(this.#folder, `${name}.crt`),
      key: path.join(this.#folder, `${name}.key`),
    };
    const signed = ['-CA', this.#files.cert, '-CAkey', this.#files.key];
    const extensions = ['subjectAltName=IP:127.0.0.1', 'basicConstraints=critical,CA:false'];
    return make(files, name, [...signed, ...extensions.flatMap(text => ['-addext', text])]);
  }

  /** Issues a certificate, and names it and the authority as the settings of a part do. */
  async settingsFor(name: string): Promise<Readonly<Record<string, string>>> {
    const { cert, key } = await this.issue(name);
    return { TLS_CERT_FILE: cert, TLS_KEY_FILE: key, TLS_CA_FILE: this.cert };
  }
}
