/**
 * `npm run redrive -- <extension> [topic]`: has parked messages processed again. A topic is named when it is not that of
 * the extension's section: one that its processor reads by a consumer of its own.
 */
import { createLogger } from '@zenko-modules/common/logger';
import { readSettings } from '@zenko-modules/common/settings';
import { BUNDLED } from '../bundled/index.js';
import { runCommand } from './run-command.js';
import { COMMAND_SETTINGS } from '../framework/extension-settings.js';
import { findActive, groupOf, loadExtensions } from '../framework/loader/load-extensions.js';
import { createFilter } from '../framework/populator/create-filter.js';
import { refilter } from '../framework/populator/refilter.js';
import { redrive } from '../framework/processor/redrive.js';
import { openQueue } from '../framework/queue/open-queue.js';
import { failedTopicOf } from '../framework/queue/queue.js';

await runCommand('redrive', async () => {
  const settings = readSettings(COMMAND_SETTINGS);
  const extensions = await loadExtensions(settings, process.env, BUNDLED);
  const active = findActive(extensions, process.argv[2]);
  // What a filter failed for is parked under the extension's name when it has no topic.
  const topic = process.argv[3] ?? active.section.topic ?? active.extension.name;
  const log = createLogger('redrive', 'error');
  const queue = await openQueue(settings, extensions.kafkaHosts, log);
  const named = createFilter(active, log);
  try {
    const count = await redrive(queue, topic, groupOf(active), parked => refilter(named, parked, log));
    const messages = count === 1 ? '1 message' : `${count} messages`;
    process.stdout.write(`${messages} of ${failedTopicOf(topic)} put back into ${topic}\n`);
  } finally {
    await queue.close();
  }
});
