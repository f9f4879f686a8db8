/** What every verb reads of the environment: where the modules are. */
import {
  DATA_CLIENT_SETTINGS,
  LISTEN_SETTINGS,
  METADATA_CLIENT_SETTINGS,
} from '@zenko-modules/common/shared-settings';

export const TOOLS_SETTINGS = {
  ...DATA_CLIENT_SETTINGS,
  ...METADATA_CLIENT_SETTINGS,
  ...LISTEN_SETTINGS,
} as const;
