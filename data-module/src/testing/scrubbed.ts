import { setTimeout as wait } from 'node:timers/promises';
import { silentLogger } from '@zenko-modules/common/logger';
import { Registry } from 'prom-client';
import { BackgroundScrub, createScrubMetrics } from '../background-scrub.js';
import type { DataStore } from '../data-store.js';
import { StoreLayer } from '../stores/store-layer.js';

/** One round of the background scrub: how many blobs it found to be what. */
export async function scrubbed(store: DataStore): Promise<Readonly<Record<string, number>>> {
  const metrics = createScrubMetrics(new Registry());
  const scrub = BackgroundScrub.start({
    store: new StoreLayer(store),
    bytesPerSecond: 1e12,
    metrics,
    log: silentLogger(),
    begin: 0,
  });
  const rounds = async (): Promise<number> => (await metrics.rounds.get()).values[0]?.value ?? 0;
  while ((await rounds()) === 0) await wait(2);
  scrub.close();
  const { values } = await metrics.blobs.get();
  return Object.fromEntries(values.map(({ labels, value }) => [String(labels.result), value]));
}
