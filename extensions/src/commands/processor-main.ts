import { runDaemon } from '@zenko-modules/common/daemon';
import { BUNDLED } from '../bundled/index.js';
import { HELLO_WORLD_SETTINGS } from '../bundled/helloWorld/settings.js';
import { PROCESSOR_SETTINGS } from '../framework/extension-settings.js';
import { startProcessor } from '../framework/processor/start-processor.js';

const [extension] = process.argv.slice(2);
await runDaemon({
  name: extension === undefined ? 'processor' : `processor-${extension}`,
  settings: { ...PROCESSOR_SETTINGS, ...HELLO_WORLD_SETTINGS },
  start: (settings, log) => startProcessor(settings, log, extension, BUNDLED),
});
