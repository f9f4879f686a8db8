import { runDaemon } from '@zenko-modules/common/daemon';
import { BUNDLED } from '../bundled/index.js';
import { HELLO_WORLD_SETTINGS } from '../bundled/helloWorld/settings.js';
import { POPULATOR_SETTINGS } from '../framework/extension-settings.js';
import { startPopulator } from '../framework/populator/start-populator.js';

await runDaemon({
  name: 'populator',
  settings: { ...POPULATOR_SETTINGS, ...HELLO_WORLD_SETTINGS },
  start: (settings, log) => startPopulator(settings, log, BUNDLED),
});
