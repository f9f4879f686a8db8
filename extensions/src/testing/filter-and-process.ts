/** Filter and processor of an extension in this process, on what is written to a stack. */
import assert from 'node:assert/strict';
import { silentLogger } from '@zenko-modules/common/logger';
import type { ProcessorContext, QueueProcessor } from '../framework/contract/extension.js';
import {
  type EntryFilter,
  type PopulatorContext,
  runFilter,
} from '../framework/contract/queue-populator-extension.js';
import { callProcessor } from '../framework/processor/attempt.js';
import { failureKind } from '../framework/processor/failures.js';
import { testS3Client } from './moving.js';
import { followChanges } from './recorded-changes.js';
import type { MetadataProcess } from './stack.js';

/** More messages than this from one run, and the extension feeds on itself. */
const MOST = 20;

export interface ExtensionInProcess<Config> {
  readonly metadata: MetadataProcess;
  readonly s3Port: number;
  readonly config: Config;
  readonly Populator: new (context: PopulatorContext<Config>) => EntryFilter;
  readonly Processor: new (context: ProcessorContext<Config>) => QueueProcessor;
}

/**
 * What it resolves with has all that was written since it was called last filtered and processed, also what that
 * writes in turn, and says how each message ended: `processed`, or the kind of its failure.
 */
export function filterAndProcess<Config>({
  metadata,
  s3Port,
  config,
  Populator,
  Processor,
}: ExtensionInProcess<Config>): () => Promise<string[]> {
  const changes = followChanges(metadata);
  const logger = silentLogger();
  const populator = new Populator({ config, logger });
  const processor = new Processor({
    config,
    backbeatConfig: {} as never,
    logger,
    createS3Client: overrides => testS3Client(s3Port, overrides),
    publish: () => Promise.resolve(),
  });
  return async () => {
    const outcomes: string[] = [];
    for (let entries = await changes.next(); entries.length > 0; entries = await changes.next()) {
      for (const entry of entries) {
        for (const { key, value } of await runFilter(populator, entry)) {
          const message = { topic: 't', partition: 0, offset: '0', timestamp: 0, headers: {}, key, value };
          const done = callProcessor(processor, message, AbortSignal.timeout(30_000));
          outcomes.push(await done.then(() => 'processed', failureKind));
          assert.ok(outcomes.length < MOST, 'it feeds on itself');
        }
      }
    }
    return outcomes;
  };
}
