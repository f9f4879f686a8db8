/** What each extension's group has not done of its topic, and what is parked. A module of its own, as it loads all extensions. */
import { createLogger } from '@zenko-modules/common/logger';
import { type Environment, readSettings } from '@zenko-modules/common/settings';
import { BUNDLED } from '@zenko-modules/extensions/bundled';
import { COMMAND_SETTINGS } from '@zenko-modules/extensions/framework/extension-settings';
import { groupOf, loadExtensions } from '@zenko-modules/extensions/framework/loader/load-extensions';
import { redriveGroupOf } from '@zenko-modules/extensions/framework/processor/redrive';
import { openQueue } from '@zenko-modules/extensions/framework/queue/open-queue';
import { failedTopicOf } from '@zenko-modules/extensions/framework/queue/queue';

export interface Waiting {
  readonly topic: string;
  readonly group: string;
  readonly messages: number;
}

export async function backlogs(env: Environment): Promise<Waiting[]> {
  const settings = readSettings(COMMAND_SETTINGS, env);
  const extensions = await loadExtensions(settings, env, BUNDLED);
  const queue = await openQueue(settings, extensions.kafkaHosts, createLogger('lag', 'error'));
  try {
    const groups = [...extensions.active.values()].flatMap(active => {
      const { topic } = active.section;
      if (topic === undefined) return [];
      const group = groupOf(active);
      return [
        { topic, group },
        { topic: failedTopicOf(topic), group: redriveGroupOf(group) },
      ];
    });
    return await Promise.all(
      groups.map(async of => ({ ...of, messages: await queue.backlog(of.topic, of.group) })),
    );
  } finally {
    await queue.close();
  }
}
