import { z } from 'zod';
import { describeIssues, extensionSection } from '../config/backbeat-config.js';
import { isTopicName, NAME_RULE } from '../queue/queue.js';

const schema = extensionSection.extend({
  topic: z.string().refine(isTopicName, `expected ${NAME_RULE}`).default('backbeat-hello-world'),
});

export type HelloWorldConfig = z.infer<typeof schema>;

/** @throws Error naming each field that is wrong. */
export function validateHelloWorldConfig(_backbeatConfig: unknown, section: unknown): HelloWorldConfig {
  const result = schema.safeParse(section);
  if (result.success) return result.data;
  throw new Error(describeIssues(result.error), { cause: result.error });
}
