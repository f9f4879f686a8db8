/** The parts that `npm start` runs, in the order in which each finds those that it needs. */
import type { SettingsOf } from '@zenko-modules/common/settings';
import {
  DATA_CLIENT_SETTINGS,
  DATA_FOLDER_SETTINGS,
  LISTEN_SETTINGS,
  METADATA_CLIENT_SETTINGS,
  S3_CREDENTIALS_SETTINGS,
  S3_PORT_SETTING,
  STOP_SETTINGS,
} from '@zenko-modules/common/shared-settings';

/** What `npm run try` reads, to find the front that `npm start` runs. */
export const TRY_SETTINGS = { ...LISTEN_SETTINGS, ...S3_PORT_SETTING, ...S3_CREDENTIALS_SETTINGS } as const;

/** What the launcher itself reads; each part reads its own. */
export const START_SETTINGS = {
  ...DATA_FOLDER_SETTINGS,
  ...DATA_CLIENT_SETTINGS,
  ...METADATA_CLIENT_SETTINGS,
  ...TRY_SETTINGS,
  ...STOP_SETTINGS,
} as const;

export type StartSettings = SettingsOf<typeof START_SETTINGS>;

export interface Part {
  readonly name: string;
  readonly entry: URL;
  readonly args: readonly string[];
}

const built = (file: string): URL => new URL(`../../../${file}`, import.meta.url);

export const PARTS: readonly Part[] = [
  { name: 'data-module', entry: built('data-module/dist/main.js'), args: [] },
  { name: 'metadata-module', entry: built('metadata-module/dist/main.js'), args: [] },
  { name: 's3-front', entry: built('s3-front/dist/main.js'), args: [] },
  { name: 'populator', entry: built('extensions/dist/commands/populator-main.js'), args: [] },
  { name: 'helloWorld', entry: built('extensions/dist/commands/processor-main.js'), args: ['helloWorld'] },
];

/** The address at which the parts reach each other when they listen on `address`. */
export function reachableAt(address: string): string {
  return address === '0.0.0.0' || address === '::' ? '127.0.0.1' : address;
}

/** Node 20 is supported here; the AWS SDK would say at every start that it will not be for ever. */
export const QUIET_SDK = { AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED: 'true' } as const;
