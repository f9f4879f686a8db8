/** The certificate of the server and its key, read again when the files change. */
import { readFile } from 'node:fs/promises';
import type https from 'node:https';
import { createSecureContext } from 'node:tls';
import { sleep } from '@zenko-modules/common/deadline';
import { messageOf } from '@zenko-modules/common/errors';
import type { Logger } from '@zenko-modules/common/logger';
import { StartError } from '@zenko-modules/common/start-error';

const LOOK_AGAIN_MS = 2000;

export interface CertificateFiles {
  readonly certFile: string;
  readonly keyFile: string;
}

export interface Certificate {
  readonly cert: string;
  readonly key: string;
}

/** @throws StartError when only one file is named */
export function certificateFiles(settings: {
  readonly S3_TLS_CERT_FILE: string | undefined;
  readonly S3_TLS_KEY_FILE: string | undefined;
}): CertificateFiles | undefined {
  const { S3_TLS_CERT_FILE: certFile, S3_TLS_KEY_FILE: keyFile } = settings;
  if (certFile === undefined && keyFile === undefined) return undefined;
  if (certFile === undefined || keyFile === undefined) {
    throw new StartError('S3_TLS_CERT_FILE and S3_TLS_KEY_FILE: only one is set: expected both or none');
  }
  return { certFile, keyFile };
}

/** @throws StartError when the files cannot be read, or do not belong together */
export async function readCertificate(files: CertificateFiles): Promise<Certificate> {
  try {
    return await read(files);
  } catch (err) {
    throw new StartError(`S3_TLS_CERT_FILE and S3_TLS_KEY_FILE: ${messageOf(err)}`, { cause: err });
  }
}

async function read({ certFile, keyFile }: CertificateFiles): Promise<Certificate> {
  const [cert, key] = await Promise.all([readFile(certFile, 'utf8'), readFile(keyFile, 'utf8')]);
  createSecureContext({ cert, key });
  return { cert, key };
}

/** Serves what the files hold from now on, until `signal`. While they are not in order, what they held before. */
export async function followCertificate(
  server: https.Server,
  files: CertificateFiles,
  first: Certificate,
  log: Logger,
  signal: AbortSignal,
): Promise<void> {
  let current = first;
  let complaint = '';
  for (;;) {
    await sleep(LOOK_AGAIN_MS, signal);
    if (signal.aborted) return;
    try {
      const found = await read(files);
      if (found.cert !== current.cert || found.key !== current.key) {
        server.setSecureContext(found);
        log.info({ ...files }, 'the certificate has changed');
      }
      current = found;
      complaint = '';
    } catch (err) {
      // The two files do not change in the same moment.
      if (messageOf(err) !== complaint)
        log.warn({ err, ...files }, 'the certificate is not in order, the old one stays');
      complaint = messageOf(err);
    }
  }
}
