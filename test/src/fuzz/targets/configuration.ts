/** Random values in the environment of each part: it starts, or says in one line what is wrong. */
import { mkdir, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { DAEMON_SETTINGS } from '@zenko-modules/common/daemon';
import type { SettingsTable } from '@zenko-modules/common/settings';
import type { Random } from '@zenko-modules/common/testing/random';
import { spawnDaemon } from '@zenko-modules/common/testing/daemon-process';
import { temporaryFolder } from '@zenko-modules/common/testing/temporary-folder';
import { DATA_SETTINGS } from '@zenko-modules/data-module/data-settings';
import { SHIPPED } from '@zenko-modules/data-module/stores/registry';
import {
  POPULATOR_SETTINGS,
  PROCESSOR_SETTINGS,
} from '@zenko-modules/extensions/framework/extension-settings';
import { LEVELDOWNS } from '@zenko-modules/metadata-module/leveldowns/registry';
import { METADATA_SETTINGS } from '@zenko-modules/metadata-module/metadata-settings';
import { FRONT_SETTINGS } from '@zenko-modules/s3-front/front-settings';
import { chance, pick } from '../choose.js';
import { STACK_TRACE, START_FACTOR } from '../damaged-files.js';
import { Finding, type Target } from '../target.js';
import { entryOf } from '../watched-daemon.js';

const ODD_VALUES = [
  '',
  ' ',
  '0',
  '-1',
  '1',
  '1.5',
  '1e3',
  '65536',
  '99999999999999999999',
  'NaN',
  'true',
  'yes',
  'text',
  'a,b,,c',
  'localhost:1',
  'http://',
  'http://[::1',
  'http://127.0.0.1:1/',
  'mongodb://127.0.0.1:1/?serverSelectionTimeoutMS=100',
  'mongodb://',
  '{"a":1}',
  '{',
  '\u00e4\u20ac',
  '__proto__',
  'constructor',
  'x'.repeat(5000),
];
/** What names a place: only places inside of the folder of the case may be written to. */
const IS_PLACE = /(_DIR|_PATH|_FILE|_CONFIG|_FOLDER)$/;

interface Part {
  readonly entry: string;
  readonly args: readonly string[];
  readonly settings: SettingsTable;
}

export const configuration: Target = {
  name: 'configuration',
  about: 'random values in the environment of each part',
  open: async (owner, { hangMs, note }) => {
    const parts = await allParts();
    const work = await temporaryFolder(owner);
    const outcomes = { refused: 0, started: 0 };
    owner.after(() => note(`${outcomes.refused} starts refused, ${outcomes.started} started`));
    return {
      tryOne: async random => {
        const part = pick(random, parts);
        const folder = path.join(work, String(random.integer(0, 2 ** 30)));
        await mkdir(path.join(folder, 'folder'), { recursive: true });
        await writeFile(path.join(folder, 'file'), pick(random, ODD_VALUES));
        const env = environment(random, part.settings, folder);
        const own: (() => unknown)[] = [];
        try {
          const daemon = spawnDaemon(
            { after: undo => void own.push(undo as () => unknown) },
            { entry: entryOf(part.entry), args: part.args, env },
          );
          const detail = (): string => `${JSON.stringify(env)}\n${daemon.output()}`;
          let timer: NodeJS.Timeout | undefined;
          const outcome = await Promise.race([
            new Promise<'started'>(resolve => daemon.child.once('message', () => resolve('started'))),
            daemon.exited,
            new Promise<'hangs'>(resolve => {
              timer = setTimeout(() => resolve('hangs'), START_FACTOR * hangMs);
            }),
          ]);
          clearTimeout(timer);
          if (outcome === 'hangs') throw new Finding(`${part.entry} neither starts nor ends`, detail());
          if (outcome === 'started') {
            outcomes.started += 1;
            return;
          }
          if (outcome.code !== 1)
            throw new Finding(`${part.entry} ended with ${outcome.code ?? outcome.signal}`, detail());
          if (STACK_TRACE.test(daemon.output()))
            throw new Finding(`${part.entry} ends with a stack trace`, detail());
          if (daemon.output().trim() === '') throw new Finding(`${part.entry} ends without a word`, detail());
          outcomes.refused += 1;
        } finally {
          for (const undo of own) await undo();
        }
      },
    };
  },
};

async function allParts(): Promise<Part[]> {
  const levelDowns = await Promise.all(LEVELDOWNS.map(({ load }) => load()));
  const stores = SHIPPED.map(({ settings }) => settings);
  return [
    { entry: 'data-module/dist/main.js', args: [], settings: merge(DATA_SETTINGS, ...stores) },
    {
      entry: 'metadata-module/dist/main.js',
      args: [],
      settings: merge(METADATA_SETTINGS, ...levelDowns.map(({ settings }) => settings)),
    },
    { entry: 's3-front/dist/main.js', args: [], settings: merge(FRONT_SETTINGS) },
    { entry: 'extensions/dist/commands/populator-main.js', args: [], settings: merge(POPULATOR_SETTINGS) },
    {
      entry: 'extensions/dist/commands/processor-main.js',
      args: ['helloWorld'],
      settings: merge(PROCESSOR_SETTINGS),
    },
  ];
}

function merge(...tables: readonly SettingsTable[]): SettingsTable {
  return Object.assign({}, DAEMON_SETTINGS, ...tables) as SettingsTable;
}

function environment(random: Random, settings: SettingsTable, folder: string): Record<string, string> {
  const names = Object.keys(settings);
  const env: Record<string, string> = { DATA_DIR: folder, DATA_PORT: '0', METADATA_PORT: '0', S3_PORT: '0' };
  for (const name of names) {
    // A port that is off when nobody sets it stays so.
    if (/_PORT$/.test(name) && settings[name]?.default !== undefined) env[name] = '0';
  }
  for (let left = random.integer(1, 4); left > 0; left -= 1) {
    const name = pick(random, names);
    const places = ['', 'folder', 'file', 'nothing', 'file/below'].map(place => path.join(folder, place));
    const value = IS_PLACE.test(name) ? pick(random, places) : pick(random, ODD_VALUES);
    // As a secret that a file holds.
    if (chance(random, 10)) env[`${name}_FILE`] = pick(random, places);
    else env[name] = value;
  }
  for (const [name, values] of Object.entries(BACKENDS)) {
    if (names.includes(name) && chance(random, 40)) env[name] = pick(random, values);
  }
  return env;
}

const BACKENDS: Readonly<Record<string, readonly string[]>> = {
  DATA_BACKEND: ['disk', 'packed', 'memcached', 's3', 'gridfs', './nothing.js', 'node:fs'],
  METADATA_BACKEND: ['leveldown', 'jsondown', 'jsonmemcached', 'mongodown', './nothing.js', 'node:fs'],
};
