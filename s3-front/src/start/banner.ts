/** What `npm start` tells the person at the terminal once everything runs. */
import path from 'node:path';
import { S3_CREDENTIALS_SETTINGS } from '@zenko-modules/common/shared-settings';
import { reachableAt, type StartSettings } from './parts.js';

export function banner(settings: StartSettings, ports: Readonly<Record<string, number>>): string {
  const host = reachableAt(settings.LISTEN_ADDRESS);
  const at = (name: string): string => `http://${host}:${ports[name] ?? '?'}`;
  const own = settings.S3_PORT === ports.S3_PORT ? '' : `S3_PORT=${ports.S3_PORT ?? ''} `;
  const isDefault = settings.S3_SECRET_KEY === S3_CREDENTIALS_SETTINGS.S3_SECRET_KEY.default;
  const secretKey = isDefault ? settings.S3_SECRET_KEY : 'the S3_SECRET_KEY that you set';
  return [
    `S3 endpoint      ${at('S3_PORT')}`,
    `data-module      ${at('DATA_PORT')}`,
    `metadata-module  ${at('METADATA_PORT')}`,
    `data under       ${path.resolve(settings.DATA_DIR)}`,
    `access key       ${settings.S3_ACCESS_KEY}`,
    `secret key       ${secretKey}`,
    '',
    'Put an object named "helloworld" and see its tags, in a second terminal in this folder:',
    `  ${own}npm run try`,
    'Ctrl-C stops everything.',
    '',
  ].join('\n');
}
