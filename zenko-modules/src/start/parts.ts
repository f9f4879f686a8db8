/** The parts that `npm start` runs, in the order in which each finds those that it needs. */
import { TLS_PORT_SETTING_NAMES } from '@zenko-modules/common/network/port-plan';
import type { Environment, SettingsOf } from '@zenko-modules/common/settings';
import {
  DATA_CLIENT_SETTINGS,
  DATA_FOLDER_SETTINGS,
  EXTENSIONS_SETTING,
  LISTEN_SETTINGS,
  METADATA_CLIENT_SETTINGS,
  PROBE_PORT_SETTINGS,
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
  ...PROBE_PORT_SETTINGS,
  ...EXTENSIONS_SETTING,
  ...STOP_SETTINGS,
} as const;

export type StartSettings = SettingsOf<typeof START_SETTINGS>;

export interface Part {
  readonly name: string;
  readonly entry: URL;
  readonly args: readonly string[];
  /** Those that its npm script and its image have, too. */
  readonly nodeOptions?: readonly string[];
  /** The ports for TLS that it opens or connects to. */
  readonly tlsPorts?: readonly ('DATA_TLS_PORT' | 'METADATA_TLS_PORT')[];
  /** Set for a processor after the first: all have one setting for the port of their probes. */
  readonly isFurtherProcessor?: boolean;
}

/** A program of another package, wherever it is installed. */
const program = (name: string): URL => new URL(import.meta.resolve(`@zenko-modules/${name}`));

/** helloWorld, and those that EXTENSIONS names. */
export function startedExtensions({ EXTENSIONS = [] }: Pick<StartSettings, 'EXTENSIONS'>): readonly string[] {
  return [...new Set(['helloWorld', ...EXTENSIONS])];
}

export function partsOf(settings: Pick<StartSettings, 'EXTENSIONS'>): readonly Part[] {
  return [
    {
      name: 'data-module',
      entry: program('data-module/main'),
      args: [],
      nodeOptions: ['--initial-old-space-size=64'],
      tlsPorts: ['DATA_TLS_PORT'],
    },
    {
      name: 'metadata-module',
      entry: program('metadata-module/main'),
      args: [],
      tlsPorts: ['METADATA_TLS_PORT'],
    },
    {
      name: 's3-front',
      entry: program('s3-front/main'),
      args: [],
      tlsPorts: ['DATA_TLS_PORT', 'METADATA_TLS_PORT'],
    },
    {
      name: 'populator',
      entry: program('extensions/commands/populator-main'),
      args: [],
      tlsPorts: ['METADATA_TLS_PORT'],
    },
    ...startedExtensions(settings).map((name, index) => ({
      name,
      entry: program('extensions/commands/processor-main'),
      args: [name],
      isFurtherProcessor: index > 0,
    })),
  ];
}

/**
 * What a part leaves unset of the environment that all share. With one port for TLS, a part that has to do with the other
 * module alone would refuse the settings for TLS. With none they stay, and the first part says so.
 */
export function withoutForeignTls({ tlsPorts = [] }: Part, settings: StartSettings): Environment {
  const isSet = (name: 'DATA_TLS_PORT' | 'METADATA_TLS_PORT'): boolean => settings[name] !== undefined;
  const isAny = isSet('DATA_TLS_PORT') || isSet('METADATA_TLS_PORT');
  if (!isAny || tlsPorts.some(isSet)) return {};
  return Object.fromEntries(TLS_PORT_SETTING_NAMES.map(name => [name, undefined]));
}

/** The next port after `taken.PROCESSOR_PROBE_PORT` that is none of `taken`; the system's choice where that was asked for. */
export function furtherProbePort(asked: string | undefined, taken: Readonly<Record<string, number>>): string {
  if (asked === '0') return asked;
  const used = Object.values(taken);
  let port = (taken.PROCESSOR_PROBE_PORT ?? 0) + 1;
  while (used.includes(port)) port++;
  return String(port);
}

/** Where the probes of all parts are, as STATUS_PARTS takes it; those whose port the system chooses are left out. */
export function statusParts(settings: StartSettings, host: string): string | undefined {
  const { DATA_PROBE_PORT, METADATA_PROBE_PORT, S3_PROBE_PORT, POPULATOR_PROBE_PORT } = settings;
  const firsts = [DATA_PROBE_PORT, METADATA_PROBE_PORT, S3_PROBE_PORT, POPULATOR_PROBE_PORT];
  const taken: Record<string, number> = {
    ...Object.fromEntries(firsts.map((port, index) => [index, port])),
    DATA_PORT: settings.DATA_PORT,
    METADATA_PORT: settings.METADATA_PORT,
    S3_PORT: settings.S3_PORT,
    PROCESSOR_PROBE_PORT: settings.PROCESSOR_PROBE_PORT,
  };
  const places = partsOf(settings).map(({ name, isFurtherProcessor }, index) => {
    const further = Number(furtherProbePort(String(settings.PROCESSOR_PROBE_PORT), taken));
    const port = isFurtherProcessor === true ? further : (firsts[index] ?? settings.PROCESSOR_PROBE_PORT);
    taken[name] = port;
    return { name, port };
  });
  const at = host.includes(':') ? `[${host}]` : host;
  const known = places.filter(({ port }) => port !== 0);
  return known.map(({ name, port }) => `${name}=${at}:${port}`).join(',') || undefined;
}

/** The address at which the parts reach each other when they listen on `address`. */
export function reachableAt(address: string): string {
  return address === '0.0.0.0' || address === '::' ? '127.0.0.1' : address;
}

/** Node 20 is supported here; the AWS SDK would say at every start that it will not be for ever. */
export const QUIET_SDK = { AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED: 'true' } as const;
