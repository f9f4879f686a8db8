/** TLS between the parts: each shows a certificate of its own, and checks that of the other against the same authorities. */
import type { Logger } from '../logger.js';
import { optional, type SettingsOf, text } from '../settings.js';
import { StartError } from '../start-error.js';
import { TlsClient } from './tls-client.js';
import type { TlsFiles } from './tls-files.js';

export const TLS_SETTINGS = {
  TLS_CERT_FILE: optional(
    text,
    'file with the certificate that this part shows to the others over TLS, and what it is signed by (PEM); read again when it changes, as the two below',
  ),
  TLS_KEY_FILE: optional(text, 'file with the key of that certificate (PEM)'),
  TLS_CA_FILE: optional(
    text,
    'file with the authorities that the certificates of the others are checked against (PEM)',
  ),
} as const;

const NAMES = ['TLS_CERT_FILE', 'TLS_KEY_FILE', 'TLS_CA_FILE'] as const;

/**
 * For a part without TLS: what is set for it was meant to have an effect.
 * @param names of the settings that are for TLS
 * @param ports the settings that would switch it on
 * @throws StartError when one of them is set
 */
export function refuseWithoutPort(
  settings: Readonly<Record<string, unknown>>,
  names: readonly string[],
  ports: readonly string[],
): void {
  const set = names.filter(name => settings[name] !== undefined);
  if (set.length === 0) return;
  const areNot = ports.length === 1 ? 'is not' : 'are not';
  throw new StartError(
    `${set.join(', ')}: set, and ${ports.join(', ')} ${areNot}: nothing here would use TLS`,
  );
}

/**
 * The files, for a part that speaks TLS.
 * @param because the setting that asks for them
 * @throws StartError when one is not named
 */
export function tlsFilesOf(settings: SettingsOf<typeof TLS_SETTINGS>, because: string): TlsFiles {
  const missing = NAMES.filter(name => settings[name] === undefined);
  const { TLS_CERT_FILE: certFile, TLS_KEY_FILE: keyFile, TLS_CA_FILE: caFile } = settings;
  if (certFile === undefined || keyFile === undefined || caFile === undefined)
    throw new StartError(`${missing.join(', ')}: not set: ${because} needs ${NAMES.join(', ')}`);
  return { certFile, keyFile, caFile, settings: NAMES.join(', ') };
}

/**
 * What a part shows to the modules, where one is reached over TLS; `undefined` where none is.
 * @param ports of the modules for TLS, by setting name
 * @throws StartError when a file is not named or cannot be used, or is named and no port is
 */
export async function openTlsClient(
  settings: SettingsOf<typeof TLS_SETTINGS>,
  ports: Readonly<Record<string, number | undefined>>,
  log: Logger,
): Promise<TlsClient | undefined> {
  const [because] = Object.keys(ports).filter(name => ports[name] !== undefined);
  if (because !== undefined) return TlsClient.open(tlsFilesOf(settings, because), log);
  refuseWithoutPort(settings, NAMES, Object.keys(ports));
  return undefined;
}
