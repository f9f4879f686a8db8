/** The page `docs/reference.md`, and the tables that belong into it. */
import { fileURLToPath } from 'node:url';
import { DAEMON_SETTINGS } from '@zenko-modules/common/daemon';
import { createVolumeMetrics } from '@zenko-modules/common/volume-metrics';
import { createScrubMetrics } from '@zenko-modules/data-module/background-scrub';
import { createDataMetrics } from '@zenko-modules/data-module/data-metrics';
import { DATA_SETTINGS } from '@zenko-modules/data-module/data-settings';
import { createPackedMetrics } from '@zenko-modules/data-module/stores/packed/packed-metrics';
import { SHIPPED } from '@zenko-modules/data-module/stores/registry';
import { HELLO_WORLD_SETTINGS } from '@zenko-modules/extensions/bundled/helloWorld/settings';
import {
  createPopulatorMetrics,
  createProcessorMetrics,
} from '@zenko-modules/extensions/framework/extension-metrics';
import {
  POPULATOR_SETTINGS,
  PROCESSOR_SETTINGS,
} from '@zenko-modules/extensions/framework/extension-settings';
import {
  createBacklogMetrics,
  createLagMetric,
} from '@zenko-modules/extensions/framework/queue/backlog-metrics';
import { LEVELDOWNS } from '@zenko-modules/metadata-module/leveldowns/registry';
import { createMetrics } from '@zenko-modules/metadata-module/metadata-metrics';
import { METADATA_SETTINGS } from '@zenko-modules/metadata-module/metadata-settings';
import { createFrontMetrics } from '@zenko-modules/s3-front/front-metrics';
import { FRONT_SETTINGS } from '@zenko-modules/s3-front/front-settings';
import { OPERATIONS } from '@zenko-modules/s3-front/operations/operations';
import { format, resolveConfig } from 'prettier';
import { Registry } from 'prom-client';
import {
  errorTable,
  metricTable,
  type MetricRow,
  operationList,
  replaceBetweenMarks,
  settingsTables,
  type SettingsGroup,
} from './reference-tables.js';

export const REFERENCE_PAGE = fileURLToPath(new URL('../../../docs/reference.md', import.meta.url));

export async function withReferenceTables(page: string): Promise<string> {
  const settings = replaceBetweenMarks(page, 'settings', settingsTables(await settingsGroups()));
  const errors = replaceBetweenMarks(settings, 'errors', errorTable());
  const measured = replaceBetweenMarks(
    errors,
    'metrics',
    metricTable((await metrics()).filter(({ name }) => !/^(process|nodejs)_/.test(name))),
  );
  const whole = replaceBetweenMarks(measured, 'operations', operationList(OPERATIONS));
  return format(whole, { ...(await resolveConfig(REFERENCE_PAGE)), parser: 'markdown' });
}

async function settingsGroups(): Promise<SettingsGroup[]> {
  const levelDowns = await Promise.all(LEVELDOWNS.map(({ load }) => load()));
  return [
    { title: 'Every part', settings: DAEMON_SETTINGS },
    { title: 'data-module', settings: DATA_SETTINGS },
    ...SHIPPED.map(({ name, settings }) => ({ title: `data-module, \`DATA_BACKEND=${name}\``, settings })),
    { title: 'metadata-module', settings: METADATA_SETTINGS },
    ...levelDowns.map(({ name, settings }) => ({
      title: `metadata-module, \`METADATA_BACKEND=${name}\``,
      settings,
    })),
    { title: 's3-front', settings: FRONT_SETTINGS },
    { title: 'populator', settings: { ...POPULATOR_SETTINGS, ...HELLO_WORLD_SETTINGS } },
    { title: 'processors', settings: PROCESSOR_SETTINGS },
  ];
}

const unknownBacklog = (): Promise<undefined> => Promise.resolve(undefined);

/** Of all parts. Read off the text that `/metrics` answers, which begins each metric with its help and its type. */
export async function metrics(): Promise<MetricRow[]> {
  const registry = new Registry();
  createDataMetrics(registry);
  createScrubMetrics(registry);
  createVolumeMetrics(registry, '/');
  createPackedMetrics(registry, () => ({ blobs: 0, indexBytes: 0, segments: 0, liveBytes: 0, deadBytes: 0 }));
  createFrontMetrics(registry);
  createPopulatorMetrics(registry);
  createProcessorMetrics(registry);
  createBacklogMetrics(registry, unknownBacklog, () => []);
  createLagMetric(registry, unknownBacklog, () => []);
  const texts = [await registry.metrics(), await createMetrics(() => undefined).registry.metrics()];
  return texts
    .flatMap(text => [...text.matchAll(/^# HELP (\S+) (.*)\n# TYPE \S+ (\S+)$/gm)])
    .map(([, name = '', help = '', type = '']) => ({ name, help, type }))
    .sort((a, b) => (a.name < b.name ? -1 : 1));
}
