import { flag, integer, optional, parsed, setting, text } from '@zenko-modules/common/settings';
import { DIRECT_BYTES } from './direct-writes.js';

/** An upload takes as much of the transfers' memory as it has bytes: those that hold two whole buffers must be as large. */
const DIRECT_FROM_LEAST = 2 * DIRECT_BYTES;

const directFrom = parsed(`0, or a whole number from ${DIRECT_FROM_LEAST} on (bytes)`, value => {
  const bytes = Number(value);
  if (!/^\d{1,16}$/.test(value) || (bytes > 0 && bytes < DIRECT_FROM_LEAST)) throw new Error('out of range');
  return bytes;
});

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
  DISK_DIRECT_FROM_BYTES: setting(
    directFrom,
    String(DIRECT_FROM_LEAST),
    'uploads from this size on are written past the page cache of the system, where the volume is local and takes that: this is cheaper, but who reads them soon after reads from the disk; 0: none',
  ),
  DISK_ALLOW_EMPTY: setting(
    flag,
    'false',
    'start with an empty folder where a volume with blobs was before; without it that is taken for a disk that is not mounted',
  ),
} as const;
