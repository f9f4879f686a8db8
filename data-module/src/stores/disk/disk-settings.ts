import { flag, integer, optional, setting, text } from '@zenko-modules/common/settings';

export const DISK_SETTINGS = {
  DATA_PATH: optional(
    text,
    "folder of the disk store's blobs, such as the volume of CloudServer's own data daemon; none: `<DATA_DIR>/data`",
  ),
  DISK_TIMEOUT_MS: setting(
    integer(500, 600_000, 'milliseconds'),
    '10000',
    'time for which the volume may answer nothing at all before calls that wait for it fail, as on a mount that hangs',
  ),
  DISK_ALLOW_EMPTY: setting(
    flag,
    'false',
    'start with an empty folder where a volume with blobs was before; without it that is taken for a disk that is not mounted',
  ),
} as const;
