import { runDaemon } from '@zenko-modules/common/daemon';
import { startMetadataModule } from './metadata-module.js';
import { METADATA_SETTINGS } from './metadata-settings.js';

await runDaemon({
  name: 'metadata-module',
  settings: METADATA_SETTINGS,
  start: (settings, log, stopping) => startMetadataModule(settings, log, process.env, stopping),
});
