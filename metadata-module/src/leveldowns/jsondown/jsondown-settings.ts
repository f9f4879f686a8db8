import { integer, setting } from '@zenko-modules/common/settings';

export const JSONDOWN_SETTINGS = {
  JSONDOWN_JOURNAL_BYTES: setting(
    integer(1024, 2 ** 40, 'bytes'),
    '1048576',
    'size of the journal from which a new snapshot is written, once it is larger than the last one too',
  ),
} as const;
