import { runDaemon } from '@zenko-modules/common/daemon';
import { startFront } from './front.js';
import { FRONT_SETTINGS } from './front-settings.js';

await runDaemon({ name: 's3-front', settings: FRONT_SETTINGS, start: startFront });
