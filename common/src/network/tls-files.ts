/** A certificate, its key, and what others' certificates are checked against: files, read again when they change. */
import { X509Certificate } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { createSecureContext } from 'node:tls';
import { sleep } from '../deadline.js';
import { messageOf } from '../errors.js';
import type { Logger } from '../logger.js';
import { StartError } from '../start-error.js';

const LOOK_AGAIN_MS = 2000;

export interface TlsFiles {
  readonly certFile: string;
  readonly keyFile: string;
  readonly caFile?: string | undefined;
  /** The settings that name the files, for messages. */
  readonly settings: string;
}

/** All in PEM. */
export interface TlsMaterial {
  readonly cert: string;
  readonly key: string;
  readonly ca?: string | undefined;
}

/** @throws StartError when the files cannot be read, or do not belong together */
export async function readTlsFiles(files: TlsFiles): Promise<TlsMaterial> {
  try {
    return await read(files);
  } catch (err) {
    throw new StartError(`${files.settings}: ${messageOf(err)}`, { cause: err });
  }
}

async function read({ certFile, keyFile, caFile }: TlsFiles): Promise<TlsMaterial> {
  const [cert, key, ca] = await Promise.all([
    readFile(certFile, 'utf8'),
    readFile(keyFile, 'utf8'),
    caFile === undefined ? undefined : readFile(caFile, 'utf8'),
  ]);
  createSecureContext({ cert, key, ca });
  if (ca !== undefined) checkAuthorities(ca, String(caFile));
  return { cert, key, ca };
}

/** TLS leaves out silently what it cannot read. */
function checkAuthorities(pem: string, file: string): void {
  const found = pem.match(/-----BEGIN CERTIFICATE-----[^]*?-----END CERTIFICATE-----/g) ?? [];
  if (found.length === 0) throw new Error(`${file} holds no certificate in PEM`);
  for (const one of found) {
    try {
      new X509Certificate(one);
    } catch (err) {
      throw new Error(`${file} holds a certificate that cannot be read (${messageOf(err)})`, { cause: err });
    }
  }
}

/** Tells `onChange` what the files hold when that has changed, until `signal`. While they are not in order, it is told nothing. */
export async function followTlsFiles(
  files: TlsFiles,
  first: TlsMaterial,
  onChange: (material: TlsMaterial) => void,
  log: Logger,
  signal: AbortSignal,
): Promise<void> {
  const { certFile, keyFile, caFile } = files;
  const names = { certFile, keyFile, ...(caFile !== undefined && { caFile }) };
  let current = first;
  let complaint = '';
  for (;;) {
    await sleep(LOOK_AGAIN_MS, signal);
    if (signal.aborted) return;
    try {
      const found = await read(files);
      if (found.cert !== current.cert || found.key !== current.key || found.ca !== current.ca) {
        onChange(found);
        const { validTo } = new X509Certificate(found.cert);
        log.info({ ...names, validTo }, 'the certificate has changed');
      }
      current = found;
      complaint = '';
    } catch (err) {
      // The files do not change in the same moment.
      if (messageOf(err) !== complaint)
        log.warn({ err, ...names }, 'the certificate is not in order, the old one stays');
      complaint = messageOf(err);
    }
  }
}
