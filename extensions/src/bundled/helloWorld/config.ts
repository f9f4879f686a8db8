import type { z } from 'zod';
import { extensionSection } from '../../framework/config/backbeat-config.js';
import { topicName, validateSection } from '../../framework/config/section.js';

const schema = extensionSection.extend({ topic: topicName.default('backbeat-hello-world') }).strict();

export type HelloWorldConfig = z.infer<typeof schema>;

/** @throws Error naming each field that is wrong. */
export function validateHelloWorldConfig(_backbeatConfig: unknown, section: unknown): HelloWorldConfig {
  return validateSection(schema, section);
}
