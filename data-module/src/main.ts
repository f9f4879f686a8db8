import { runDaemon } from '@zenko-modules/common/daemon';
import { DATA_SETTINGS } from './data-settings.js';
import { startDataModule } from './data-module.js';

await runDaemon({
  name: 'data-module',
  settings: DATA_SETTINGS,
  start: (settings, log) => startDataModule(settings, log),
});
