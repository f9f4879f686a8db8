/** What a daemon says of itself on its metrics page. */
import { sleep } from '@zenko-modules/common/deadline';
import type { DaemonProcess } from '@zenko-modules/common/testing/daemon-process';

/** The values of all metrics without labels. */
export async function metricsOf(probePort: number | undefined): Promise<ReadonlyMap<string, number>> {
  const page = await (await fetch(`http://127.0.0.1:${probePort}/metrics`)).text();
  return new Map(
    [...page.matchAll(/^(\w+) ([\d.e+-]+)$/gm)].map(([, name, value]) => [name ?? '', Number(value)]),
  );
}

/** For the environment of a daemon whose heap is to be measured. */
export const COLLECT_GARBAGE = {
  NODE_OPTIONS: `--import=${new URL('./collect-garbage.js', import.meta.url).href}`,
} as const;

/** The heap of a daemon that was started with `COLLECT_GARBAGE`, without garbage, in bytes. */
export async function heapOf({ pid, ports }: DaemonProcess): Promise<number> {
  let smallest = Infinity;
  for (let sample = 0; sample < 5; sample += 1) {
    process.kill(pid, 'SIGUSR2');
    await sleep(100);
    const metrics = await metricsOf(ports['METADATA_PROBE_PORT']);
    smallest = Math.min(smallest, metrics.get('nodejs_heap_size_used_bytes') ?? Infinity);
  }
  return smallest;
}

/** Waits until no stream and no iterator is open. */
export async function nothingIsOpen(probePort: number | undefined): Promise<void> {
  for (let tries = 0; ; tries += 1) {
    const metrics = await metricsOf(probePort);
    const open = ['metadata_open_streams', 'metadata_open_iterators'].map(name => metrics.get(name));
    if (open.every(count => count === 0)) return;
    if (tries > 200) throw new Error(`open streams and iterators: ${open.join(', ')}`);
    await sleep(50);
  }
}
