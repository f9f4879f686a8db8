/** What `/_/status` of the metadata module shows. */
import { type ChartSpec, quantiles, type Unit } from '@zenko-modules/common/status/history';
import type { StatusTable } from '@zenko-modules/common/status/page';
import type { MetadataState } from './metadata-metrics.js';

/** A call that waits for records is no slow one. */
const NOT_WAITING = { call: /^(?!awaitRecords$)/ };

export const METADATA_CHARTS: readonly ChartSpec[] = [
  {
    title: 'Calls',
    unit: 'per second',
    series: [
      { name: 'all', reading: { kind: 'rate', metric: 'metadata_calls_total', where: NOT_WAITING } },
      {
        name: 'not available or failed',
        reading: {
          kind: 'rate',
          metric: 'metadata_calls_total',
          where: { outcome: /^(InternalError|ServiceUnavailable|SlowDown)$/ },
        },
      },
    ],
  },
  { title: 'Time of a call', unit: 'seconds', series: quantiles('metadata_call_seconds', NOT_WAITING) },
  { title: 'Time of a synced batch', unit: 'seconds', series: quantiles('metadata_batch_seconds') },
  {
    title: 'Changes',
    unit: 'per second' satisfies Unit,
    series: [{ name: 'records of the log', reading: { kind: 'rate', metric: 'metadata_record_log_last' } }],
  },
  {
    title: 'Readers of the log',
    unit: 'records',
    series: [{ name: 'furthest behind', reading: { kind: 'max', metric: 'metadata_record_log_reader_lag' } }],
  },
];

export function metadataTables(store: string, state: MetadataState | undefined): readonly StatusTable[] {
  const kept = state && [state.firstRecord, state.lastRecord];
  return [
    {
      title: 'Store and record log',
      columns: ['store', 'oldest record', 'newest record', 'streams open'],
      rows: [[store, ...(kept ?? ['–', '–']), state?.openStreams ?? '–']],
      empty: '',
    },
    {
      title: 'Readers of the log',
      columns: ['reader', 'next record', 'records behind'],
      rows: (state?.readers ?? []).map(({ reader, nextSeq, lag }) => [reader, nextSeq, lag]),
      empty: state === undefined ? 'Its owner tells of them.' : 'None is registered.',
    },
  ];
}
