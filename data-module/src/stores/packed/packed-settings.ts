import { DISK_SETTINGS } from '../disk/disk-settings.js';
import { integer, optional, setting, text } from '@zenko-modules/common/settings';

const MiB = 1024 * 1024;

export const PACKED_SETTINGS = {
  DISK_TIMEOUT_MS: DISK_SETTINGS.DISK_TIMEOUT_MS,
  DISK_DIRECT_FROM_BYTES: DISK_SETTINGS.DISK_DIRECT_FROM_BYTES,
  PACKED_PATH: optional(text, 'folder of the packed store; none: `<DATA_DIR>/data-packed`'),
  PACKED_MAX_BLOB_BYTES: setting(
    integer(0, 4 * MiB, 'bytes'),
    String(256 * 1024),
    'blobs up to this size are packed into segments; larger ones are files',
  ),
  PACKED_SEGMENT_BYTES: setting(
    integer(MiB, 16 * 1024 * MiB, 'bytes'),
    String(256 * MiB),
    'size at which the packed store begins a new segment',
  ),
  PACKED_RESERVE_BYTES: setting(
    integer(0, 1024 * 1024 * MiB, 'bytes'),
    String(64 * MiB),
    'room on the disk below which no blob is stored, so that deletions, which are records too, find some',
  ),
  PACKED_CACHE_BYTES: setting(
    integer(0, 16 * 1024 * MiB, 'bytes'),
    String(16 * MiB),
    'memory for the blobs of up to 64 KiB that were read last; 0: none',
  ),
  PACKED_COMPACT_PERCENT: setting(
    integer(1, 100, '%'),
    '50',
    'part of a segment that must be dead before its space is given back',
  ),
  PACKED_COMPACT_BYTES_PER_SECOND: setting(
    integer(1024, 100 * 1024 * MiB, 'bytes per second'),
    String(32 * MiB),
    'how fast compaction copies what is alive',
  ),
} as const;
