import type { TlsFiles } from '@zenko-modules/common/network/tls-files';
import { StartError } from '@zenko-modules/common/start-error';

const SETTINGS = 'S3_TLS_CERT_FILE and S3_TLS_KEY_FILE';

/** @throws StartError when only one file is named */
export function certificateFiles(settings: {
  readonly S3_TLS_CERT_FILE: string | undefined;
  readonly S3_TLS_KEY_FILE: string | undefined;
}): TlsFiles | undefined {
  const { S3_TLS_CERT_FILE: certFile, S3_TLS_KEY_FILE: keyFile } = settings;
  if (certFile === undefined && keyFile === undefined) return undefined;
  if (certFile === undefined || keyFile === undefined)
    throw new StartError(`${SETTINGS}: only one is set: expected both or none`);
  return { certFile, keyFile, settings: SETTINGS };
}
