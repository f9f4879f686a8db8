/** Every metric of the packed store. */
import { Counter, Gauge, type Registry } from 'prom-client';

export interface PackedFigures {
  readonly blobs: number;
  readonly indexBytes: number;
  readonly segments: number;
  readonly liveBytes: number;
  readonly deadBytes: number;
}

export type PackedMetrics = ReturnType<typeof createPackedMetrics>;

/** @param figures asked at each scrape */
export function createPackedMetrics(registry: Registry, figures: () => PackedFigures) {
  const registers = [registry];
  const gauge = (name: string, help: string, value: (now: PackedFigures) => number): void => {
    new Gauge({
      name,
      help,
      registers,
      collect() {
        this.set(value(figures()));
      },
    });
  };
  gauge('data_packed_blobs', 'Blobs in segments', ({ blobs }) => blobs);
  gauge(
    'data_packed_index_bytes',
    'Memory that the index of the segments takes',
    ({ indexBytes }) => indexBytes,
  );
  gauge('data_packed_segments', 'Segments of the packed store', ({ segments }) => segments);
  gauge(
    'data_packed_live_bytes',
    'Bytes of records in segments that blobs use',
    ({ liveBytes }) => liveBytes,
  );
  gauge(
    'data_packed_dead_bytes',
    'Bytes that compaction of the segments can give back',
    ({ deadBytes }) => deadBytes,
  );
  return {
    reads: new Counter({
      name: 'data_packed_reads_total',
      help: 'Reads of packed blobs, by where the bytes came from (cache, disk)',
      labelNames: ['source'] as const,
      registers,
    }),
    compacted: new Counter({
      name: 'data_packed_compacted_bytes_total',
      help: 'Bytes of segments that compaction has taken out of use',
      registers,
    }),
    damaged: new Counter({
      name: 'data_packed_damaged_records_total',
      help: 'Times that a damaged record was found: at the start, by a read, or by compaction',
      registers,
    }),
  };
}
