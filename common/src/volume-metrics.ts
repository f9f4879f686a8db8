/** How full the file system is that a part keeps its data on. */
import { Gauge, type Registry } from 'prom-client';
import { withDeadline } from './deadline.js';
import { diskUsageOf, type DiskUsage } from './disk-usage.js';

/** A mount that hangs must not hold up the page of metrics. */
const DEADLINE_MS = 1000;

/** Asked at each scrape; without a value while the file system does not answer. */
export function createVolumeMetrics(registry: Registry, folder: string): void {
  const gauge = (name: string, help: string, read: (usage: DiskUsage) => number): void => {
    new Gauge({
      name,
      help,
      labelNames: ['folder'],
      registers: [registry],
      // The processes of one part look at the same file system: what one of them says holds for all.
      aggregator: 'first',
      async collect() {
        this.reset();
        try {
          const usage = await withDeadline(diskUsageOf(folder), DEADLINE_MS, `statfs of ${folder}`);
          this.set({ folder }, read(usage));
        } catch {
          // No value is what the alert on it looks for.
        }
      },
    });
  };
  gauge('volume_size_bytes', 'Size of the file system that holds the folder', ({ total }) => total);
  gauge(
    'volume_free_bytes',
    'What may still be written to the file system that holds the folder; missing while it does not answer',
    ({ available }) => available,
  );
}
