/** The ports of a module: a plain one, which CloudServer connects to, and one for TLS. */
import { flag, optional, setting, type SettingsOf, text } from '../settings.js';
import { LISTEN_SETTINGS } from '../shared-settings.js';
import { StartError } from '../start-error.js';
import { type AddressList, addressList } from './address-list.js';
import type { TlsFiles } from './tls-files.js';
import { refuseWithoutPort, TLS_SETTINGS, tlsFilesOf } from './tls-settings.js';

/** Of the ports for TLS. */
const TLS_PORT_SETTINGS = {
  ...TLS_SETTINGS,
  TLS_LISTEN_ADDRESS: optional(
    text,
    'address on which the modules listen for TLS; without it LISTEN_ADDRESS',
  ),
  TLS_ALLOW_FROM: optional(
    addressList,
    'the same as ALLOW_FROM for the ports for TLS; without it ALLOW_FROM',
  ),
} as const;

/** Those that a module refuses where it has no port for TLS. */
export const TLS_PORT_SETTING_NAMES: readonly string[] = Object.keys(TLS_PORT_SETTINGS);

export const MODULE_PORT_SETTINGS = {
  ...LISTEN_SETTINGS,
  ALLOW_FROM: optional(
    addressList,
    'addresses and networks from which the modules take connections on DATA_PORT and METADATA_PORT; others are closed before a byte is read; none: all are taken',
  ),
  PLAIN_PORTS: setting(
    flag,
    'true',
    'open DATA_PORT and METADATA_PORT, which CloudServer connects to; false: the ports for TLS only',
  ),
  ...TLS_PORT_SETTINGS,
} as const;

export interface PlannedPort {
  readonly setting: string;
  readonly port: number;
  readonly address: string;
  readonly allowFrom: AddressList | undefined;
}

/** At least one of both. */
export interface PortPlan {
  readonly plain: PlannedPort | undefined;
  readonly tls: (PlannedPort & { readonly files: TlsFiles }) | undefined;
}

interface NamedPort<T> {
  readonly setting: string;
  readonly port: T;
}

/** @throws StartError when what one setting needs of another is missing, or is without effect for want of it */
export function planPorts(
  settings: SettingsOf<typeof MODULE_PORT_SETTINGS>,
  plain: NamedPort<number>,
  tls: NamedPort<number | undefined>,
): PortPlan {
  const { LISTEN_ADDRESS, ALLOW_FROM, TLS_LISTEN_ADDRESS, TLS_ALLOW_FROM, PLAIN_PORTS } = settings;
  if (!PLAIN_PORTS && tls.port === undefined)
    throw new StartError(`PLAIN_PORTS: it is false, and ${tls.setting} is not set: no port is left to open`);
  if (tls.port === undefined) refuseWithoutPort(settings, TLS_PORT_SETTING_NAMES, [tls.setting]);
  return {
    plain: PLAIN_PORTS ? { ...plain, address: LISTEN_ADDRESS, allowFrom: ALLOW_FROM } : undefined,
    tls:
      tls.port === undefined
        ? undefined
        : {
            setting: tls.setting,
            port: tls.port,
            address: TLS_LISTEN_ADDRESS ?? LISTEN_ADDRESS,
            allowFrom: TLS_ALLOW_FROM ?? ALLOW_FROM,
            files: tlsFilesOf(settings, tls.setting),
          },
  };
}
