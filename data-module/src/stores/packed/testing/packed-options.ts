import type { PackedOptions } from '../packed-store.js';

/** The defaults, without compaction unless a test asks for it. */
export function packedOptions(changed: Partial<PackedOptions> = {}): PackedOptions {
  return {
    DISK_TIMEOUT_MS: 30_000,
    DISK_DIRECT_FROM_BYTES: 1024 * 1024,
    PACKED_MAX_BLOB_BYTES: 256 * 1024,
    PACKED_SEGMENT_BYTES: 256 * 1024 * 1024,
    PACKED_RESERVE_BYTES: 0,
    PACKED_CACHE_BYTES: 1024 * 1024,
    PACKED_COMPACT_PERCENT: 50,
    PACKED_COMPACT_BYTES_PER_SECOND: 1024 ** 3,
    compactPauseMs: 0,
    ...changed,
  };
}
