/** What `/_/status` of populator and processors shows. */
import type { LastHandled } from '@zenko-modules/common/status/handled';
import { type ChartSpec, quantiles } from '@zenko-modules/common/status/history';
import { type StatusTable, timeText } from '@zenko-modules/common/status/page';
import type { PopulatorState } from './extension-metrics.js';
import type { TopicGroup } from './queue/backlog-metrics.js';

export const POPULATOR_CHARTS: readonly ChartSpec[] = [
  {
    title: 'Records and messages',
    unit: 'per second',
    series: [
      { name: 'records read', reading: { kind: 'rate', metric: 'populator_records_total' } },
      { name: 'messages published', reading: { kind: 'rate', metric: 'populator_published_total' } },
      { name: 'failed filters', reading: { kind: 'rate', metric: 'populator_filter_failures_total' } },
    ],
  },
  {
    title: 'Behind the record log',
    unit: 'seconds',
    series: [{ name: 'furthest behind', reading: { kind: 'max', metric: 'populator_behind_seconds' } }],
  },
];

export const PROCESSOR_CHARTS: readonly ChartSpec[] = [
  {
    title: 'Messages',
    unit: 'per second',
    series: [
      { name: 'done', reading: { kind: 'rate', metric: 'processor_messages_total' } },
      { name: 'failed attempts', reading: { kind: 'rate', metric: 'processor_failed_attempts_total' } },
      {
        name: 'parked',
        reading: { kind: 'rate', metric: 'processor_messages_total', where: { outcome: /^parked$/ } },
      },
    ],
  },
  { title: 'Time of an attempt', unit: 'seconds', series: quantiles('processor_attempt_seconds') },
  {
    title: 'Not done yet',
    unit: 'messages',
    series: [
      { name: 'of its topic', reading: { kind: 'sum', metric: 'processor_lag_messages' } },
      { name: 'being worked on', reading: { kind: 'sum', metric: 'processor_messages_in_flight' } },
    ],
  },
];

export function populatorTables(state: PopulatorState | undefined): readonly StatusTable[] {
  return [
    {
      title: 'Extensions',
      columns: ['extension', 'behind', 'first record not done'],
      rows: (state?.behind ?? []).map(([extension, seconds]) => [
        extension === '' ? 'none has a filter' : extension,
        `${Math.round(seconds)} s`,
        state?.nextSeq ?? '–',
      ]),
      empty: 'It does not follow the log at the moment.',
    },
  ];
}

export function processorTables(
  handled: LastHandled,
  waiting: readonly { readonly of: TopicGroup; readonly messages: number | undefined }[],
): readonly StatusTable[] {
  return [
    {
      title: 'Topics',
      columns: ['topic', 'group', 'messages not done'],
      rows: waiting.map(({ of, messages }) => [of.topic, of.group, messages ?? 'unknown now']),
      empty: 'It reads none yet.',
    },
    {
      title: 'Last handled',
      columns: ['time', 'bucket', 'object', 'what was done'],
      rows: handled.list().map(({ at, bucket, key, what }) => [timeText(at), bucket, key, what]),
      empty: 'Nothing since it was started.',
    },
  ];
}
