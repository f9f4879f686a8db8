/** `npm run redrive -- <extension>`: has parked messages processed again. */
import { createLogger } from '@zenko-modules/common/logger';
import { readSettings } from '@zenko-modules/common/settings';
import { StartError } from '@zenko-modules/common/start-error';
import { runCommand } from './run-command.js';
import { COMMAND_SETTINGS } from '../framework/extension-settings.js';
import { findActive, groupOf, loadExtensions } from '../framework/loader/load-extensions.js';
import { redrive } from '../framework/processor/redrive.js';
import { openQueue } from '../framework/queue/open-queue.js';
import { failedTopicOf } from '../framework/queue/queue.js';

await runCommand('redrive', async () => {
  const settings = readSettings(COMMAND_SETTINGS);
  const extensions = await loadExtensions(settings, process.env);
  const active = findActive(extensions, process.argv[2]);
  const { topic } = active.section;
  if (topic === undefined) throw new StartError(`extension "${active.extension.name}" has no topic`);
  const queue = await openQueue(settings, extensions.kafkaHosts, createLogger('redrive', 'error'));
  try {
    const count = await redrive(queue, topic, groupOf(active));
    const messages = count === 1 ? '1 message' : `${count} messages`;
    process.stdout.write(`${messages} of ${failedTopicOf(topic)} put back into ${topic}\n`);
  } finally {
    await queue.close();
  }
});
