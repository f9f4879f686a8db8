/** For the configValidators of the extensions. */
import { z } from 'zod';
import { isTopicName, NAME_RULE } from '../queue/queue.js';
import { describeIssues } from './backbeat-config.js';

export const topicName = z.string().refine(isTopicName, `expected ${NAME_RULE}`);

/** The section with its defaults. @throws Error naming each field that is wrong. */
export function validateSection<T>(schema: z.ZodType<T>, section: unknown): T {
  const result = schema.safeParse(section);
  if (result.success) return result.data;
  throw new Error(describeIssues(result.error), { cause: result.error });
}
