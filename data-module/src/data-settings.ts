/** The data module's settings. Each store adds its own, see `DISK_SETTINGS` and its like beside the stores. */
import { NODE_SETTINGS } from '@zenko-modules/common/any-node';
import { MODULE_PORT_SETTINGS, planPorts, type PortPlan } from '@zenko-modules/common/network/port-plan';
import { integer, optional, setting, type SettingsOf, text } from '@zenko-modules/common/settings';
import {
  DATA_FOLDER_SETTINGS,
  DATA_PORT_SETTING,
  PROBE_PORT_SETTINGS,
  STATUS_SETTINGS,
  STOP_SETTINGS,
  THREAD_POOL_SETTINGS,
} from '@zenko-modules/common/shared-settings';

export const DATA_SETTINGS = {
  ...DATA_PORT_SETTING,
  ...MODULE_PORT_SETTINGS,
  ...STATUS_SETTINGS,
  ...NODE_SETTINGS,
  ...DATA_FOLDER_SETTINGS,
  ...STOP_SETTINGS,
  ...THREAD_POOL_SETTINGS,
  DATA_BACKEND: setting(
    text,
    'disk',
    'store of the data module: disk, packed, s3, gridfs, memcached, or the package or path of one',
  ),
  DATA_PROBE_PORT: PROBE_PORT_SETTINGS.DATA_PROBE_PORT,
  DATA_IDLE_TIMEOUT_MS: setting(
    integer(1000, 3_600_000, 'milliseconds'),
    '120000',
    'time after which a transfer without progress is cut; a transfer as a whole may take any time',
  ),
  DATA_KEEP_ALIVE_MS: setting(
    integer(60_000, 3_600_000, 'milliseconds'),
    '75000',
    'time that an idle connection is kept; CloudServer keeps its side for 55 s',
  ),
  DATA_MAX_CONNECTIONS: setting(
    integer(1, 1_000_000),
    '4096',
    'connections to each port of the data module at once, spread over its workers; more are closed at once',
  ),
  DATA_WORKERS: optional(
    integer(1, 64),
    'processes that serve requests; none: as many as there are processors, at most 4. A store that serves one process only has one',
  ),
  SCRUB_MB_PER_SECOND: setting(
    integer(0, 10_000, 'megabytes'),
    '0',
    'blobs are read again and again in the background at this rate, and compared with the checksums that the store has of them; damage is logged and counted. 0: off. Of several modules over one backend one is enough',
  ),
  DATA_MEMORY_BYTES: setting(
    integer(1024 * 1024, 1024 * 1024 * 1024 * 1024, 'bytes'),
    '268435456',
    'memory that the transfers of all workers together may hold; beyond it they wait, and after a while get `SlowDown`',
  ),
} as const;

/** @throws StartError when what one setting needs of another is missing */
export function planDataPorts(settings: SettingsOf<typeof DATA_SETTINGS>): PortPlan {
  return planPorts(
    settings,
    { setting: 'DATA_PORT', port: settings.DATA_PORT },
    { setting: 'DATA_TLS_PORT', port: settings.DATA_TLS_PORT },
  );
}
