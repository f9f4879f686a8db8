/** Settings of the metadata module. A LevelDOWN has its own, at its plug-in. */
import { NODE_SETTINGS } from '@zenko-modules/common/any-node';
import { MODULE_PORT_SETTINGS, planPorts, type PortPlan } from '@zenko-modules/common/network/port-plan';
import { refuseWithoutPort } from '@zenko-modules/common/network/tls-settings';
import { flag, integer, optional, setting, text } from '@zenko-modules/common/settings';
import {
  DATA_FOLDER_SETTINGS,
  METADATA_PORT_SETTING,
  PROBE_PORT_SETTINGS,
  STATUS_SETTINGS,
} from '@zenko-modules/common/shared-settings';
import type { SettingsOf } from '@zenko-modules/common/settings';
import { advertisedHost } from './stand-by/address.js';

export const METADATA_SETTINGS = {
  ...METADATA_PORT_SETTING,
  ...MODULE_PORT_SETTINGS,
  ...STATUS_SETTINGS,
  ...NODE_SETTINGS,
  ...DATA_FOLDER_SETTINGS,
  METADATA_BACKEND: setting(
    text,
    'leveldown',
    'LevelDOWN that keeps the metadata: leveldown, jsondown, jsonmemcached, mongodown, or a package or path',
  ),
  METADATA_PATH: optional(
    text,
    'folder of the metadata module, which must exist; without it `<DATA_DIR>/metadata`, which is made',
  ),
  METADATA_PROBE_PORT: PROBE_PORT_SETTINGS.METADATA_PROBE_PORT,
  METADATA_CACHE_BYTES: setting(
    integer(0, 64 * 1024 * 1024 * 1024, 'bytes'),
    '67108864',
    'memory for values that were read lately, where the LevelDOWN is `leveldown`; 0: none',
  ),
  METADATA_ADVERTISE: optional(
    advertisedHost,
    'where other modules over the same store reach this one when it owns the store, and pass their clients on to; without it LISTEN_ADDRESS, or the first address of this machine, and METADATA_PORT',
  ),
  METADATA_TLS_ADVERTISE: optional(
    advertisedHost,
    'the same for METADATA_TLS_PORT; without it the host of METADATA_ADVERTISE and METADATA_TLS_PORT',
  ),
  METADATA_ACCEPT_LOSS: setting(
    flag,
    'false',
    'start although the store has lost what it acknowledged; each loss is logged, and counted by `metadata_losses`',
  ),
  RECORD_LOG_MAX_RECORDS: setting(
    integer(1, 1_000_000_000, 'records'),
    '1000000',
    'newest records that the record log keeps; older ones go when every registered reader has read them',
  ),
} as const;

export type MetadataSettings = SettingsOf<typeof METADATA_SETTINGS>;

/** @throws StartError when what one setting needs of another is missing */
export function planMetadataPorts(settings: MetadataSettings): PortPlan {
  if (settings.METADATA_TLS_PORT === undefined)
    refuseWithoutPort(settings, ['METADATA_TLS_ADVERTISE'], ['METADATA_TLS_PORT']);
  return planPorts(
    settings,
    { setting: 'METADATA_PORT', port: settings.METADATA_PORT },
    { setting: 'METADATA_TLS_PORT', port: settings.METADATA_TLS_PORT },
  );
}
