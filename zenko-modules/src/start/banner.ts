/** What `npm start` tells the person at the terminal once everything runs. */
import path from 'node:path';
import { httpUrl } from '@zenko-modules/common/http-url';
import { S3_CREDENTIALS_SETTINGS } from '@zenko-modules/common/shared-settings';
import { reachableAt, startedExtensions, type StartSettings, TRY_SETTINGS } from './parts.js';

export function banner(settings: StartSettings, ports: Readonly<Record<string, number>>): string {
  const host = reachableAt(settings.LISTEN_ADDRESS);
  const at = (name: string): string => httpUrl(host, ports[name] ?? '?');
  const module = (name: string, tlsName: string): string =>
    ports[name] === undefined && ports[tlsName] !== undefined
      ? httpUrl(host, ports[tlsName], 'https')
      : at(name);
  const isDefault = settings.S3_SECRET_KEY === S3_CREDENTIALS_SETTINGS.S3_SECRET_KEY.default;
  const secretKey = isDefault ? settings.S3_SECRET_KEY : 'the S3_SECRET_KEY that you set';
  const place = `in this folder${isDefault ? '' : ', with S3_SECRET_KEY set as here'}`;
  return [
    `S3 endpoint      ${at('S3_PORT')}`,
    `data-module      ${module('DATA_PORT', 'DATA_TLS_PORT')}`,
    `metadata-module  ${module('METADATA_PORT', 'METADATA_TLS_PORT')}`,
    `extensions       ${startedExtensions(settings).join(', ')}`,
    `data under       ${path.resolve(settings.DATA_DIR)}`,
    `access key       ${settings.S3_ACCESS_KEY}`,
    `secret key       ${secretKey}`,
    '',
    `Put an object named "helloworld" and see its tags, in a second terminal ${place}:`,
    `  ${assignments({ ...settings, ...ports })}npm run try`,
    'Ctrl-C stops everything.',
    '',
  ].join('\n');
}

/** What a second terminal must be told, for the shell: the settings that are not the defaults. A secret is not shown. */
function assignments(values: Readonly<Record<string, unknown>>): string {
  return Object.entries(TRY_SETTINGS)
    .filter(([name, row]) => !row.secret && String(values[name]) !== row.default)
    .map(([name]) => `${name}=${quoted(String(values[name]))} `)
    .join('');
}

function quoted(text: string): string {
  return /^[\w.:/@%+-]+$/.test(text) ? text : `'${text.replaceAll("'", `'\\''`)}'`;
}
