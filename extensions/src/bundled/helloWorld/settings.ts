/** The settings of this extension that people know from elsewhere. Any other field is set in the same way. */
import { optional, port, text } from '@zenko-modules/common/settings';

export const HELLO_WORLD_SETTINGS = {
  EXTENSIONS_HELLOWORLD_TOPIC: optional(text, '`.extensions.helloWorld.topic`, default backbeat-hello-world'),
  EXTENSION_HELLOWORLD_TOPIC: optional(text, 'the same, as the published tutorial spells it'),
  EXTENSIONS_HELLOWORLD_S3_HOST: optional(text, '`.extensions.helloWorld.s3.host`'),
  EXTENSIONS_HELLOWORLD_S3_PORT: optional(port, '`.extensions.helloWorld.s3.port`'),
} as const;
