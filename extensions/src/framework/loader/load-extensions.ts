/**
 * The extensions that there are: those that we ship, and those in the folders of EXTENSIONS_PATH. Their sections of
 * the configuration are checked before any of them runs.
 */
import * as s3 from '@aws-sdk/client-s3';
import { readdir } from 'node:fs/promises';
import path from 'node:path';
import { pathToFileURL } from 'node:url';
import { messageOf } from '@zenko-modules/common/errors';
import type { Environment } from '@zenko-modules/common/settings';
import { StartError } from '@zenko-modules/common/start-error';
import {
  type BackbeatConfig,
  check,
  type Configuration,
  type ExtensionSection,
  extensionSection,
  readConfiguration,
} from '../config/backbeat-config.js';
import { simplify } from '../config/environment-overlay.js';
import type { Extension, ExtensionApi, ExtensionFactory } from '../contract/extension.js';
import { describeObject } from '../contract/object-event.js';
import { PermanentError } from '../contract/processor-errors.js';
import { parseEntry, QueuePopulatorExtension } from '../contract/queue-populator-extension.js';
import type { ConfigSettings, QueueSettings } from '../extension-settings.js';

const API: ExtensionApi = { QueuePopulatorExtension, PermanentError, describeObject, parseEntry, s3 };
const EXTENSION_NAME = /^[A-Za-z][A-Za-z0-9_-]*$/;
const INDEX_FILES = ['index.js', 'index.mjs', 'index.cjs'];

/** An extension that runs, with its section as its validator returned it. */
export interface ActiveExtension {
  readonly extension: Extension;
  readonly config: unknown;
  readonly section: ExtensionSection;
}

export interface LoadedExtensions extends Configuration {
  readonly active: ReadonlyMap<string, ActiveExtension>;
  /** Those that could run, but that the configuration does not switch on. */
  readonly inactive: readonly string[];
}

/**
 * @param bundled those that we ship
 * @throws StartError when a folder cannot be read or loaded, a name is used twice, or a section is refused.
 */
export async function loadExtensions(
  settings: ConfigSettings & Pick<QueueSettings, 'KAFKA_HOSTS'>,
  env: Environment,
  bundled: readonly Extension[],
): Promise<LoadedExtensions> {
  const loaded = await loadFolders(settings.EXTENSIONS_PATH);
  const shown = [...bundled, ...loaded.map(({ extension }) => extension)];
  const named = [...shown, ...otherNamesOf(loaded, shown)];
  const { extensions } = readConfiguration(settings, env, named).config;
  const own = loaded.map(one => {
    const isOurs = bundled.some(({ name }) => name === one.folder);
    return isOurs ? one.extension : knownAs(one, extensions);
  });
  const known = new Map<string, Extension>();
  for (const extension of [...bundled, ...own]) {
    if (known.has(extension.name)) {
      throw new StartError(`there are two extensions of the name "${extension.name}"`);
    }
    known.set(extension.name, extension);
  }
  const configuration = readConfiguration(settings, env, [...known.values()]);
  const config = switchOn(configuration.config, settings.EXTENSIONS ?? [], [...known.keys()]);
  const { source } = configuration;
  const active = new Map<string, ActiveExtension>();
  for (const [name, extension] of known) {
    // Whoever names the folder of an extension wants it to run; a section is needed only for its fields.
    const raw = config.extensions[name] ?? (own.includes(extension) ? {} : undefined);
    if (raw && raw.enabled !== false) active.set(name, activate(extension, raw, config, source));
  }
  const inactive = [...known.keys()].filter(name => !active.has(name));
  return { ...configuration, config, active, inactive };
}

/** An extension of EXTENSIONS_PATH, and the name of its folder. */
interface InFolder {
  readonly extension: Extension;
  readonly folder: string;
}

/** Folders that may be what the configuration calls an extension. */
function otherNamesOf(loaded: readonly InFolder[], shown: readonly Extension[]): { name: string }[] {
  const names = shown.map(({ name }) => simplify(name));
  return loaded
    .filter(({ folder }) => !names.includes(simplify(folder)))
    .map(({ folder }) => ({ name: folder }));
}

/** Backbeat finds an extension by its folder: so do we when the configuration has a section for that, and none for its name. */
function knownAs({ extension, folder }: InFolder, sections: BackbeatConfig['extensions']): Extension {
  const byFolder =
    EXTENSION_NAME.test(folder) && sections[folder] !== undefined && sections[extension.name] === undefined;
  return byFolder ? { ...extension, name: folder } : extension;
}

/** The configuration as if it switched `wanted` on. @throws StartError when there is no extension of such a name. */
function switchOn(
  config: BackbeatConfig,
  wanted: readonly string[],
  known: readonly string[],
): BackbeatConfig {
  const unknown = wanted.find(name => !known.includes(name));
  if (unknown !== undefined) {
    throw new StartError(`EXTENSIONS: there is no extension "${unknown}": known are ${known.join(', ')}`);
  }
  const sections = wanted.map(name => {
    const { enabled, ...section } = config.extensions[name] ?? {};
    return [name, enabled === false || enabled === undefined ? section : { ...section, enabled }] as const;
  });
  return { ...config, extensions: { ...config.extensions, ...Object.fromEntries(sections) } };
}

/** The extension `name`. @throws StartError that lists those that there are. */
export function findActive(
  { active, inactive }: LoadedExtensions,
  name: string | undefined,
): ActiveExtension {
  const found = name === undefined ? undefined : active.get(name);
  if (found) return found;
  const known = [...active.keys()].join(', ') || 'none';
  if (name !== undefined && inactive.includes(name)) {
    throw new StartError(
      `extension "${name}" is not switched on: give it a section in the configuration, without "enabled": false (on: ${known})`,
    );
  }
  const wanted = name === undefined ? 'name the extension to run' : `there is no extension "${name}"`;
  throw new StartError(`${wanted}: known are ${[...active.keys(), ...inactive].join(', ')}`);
}

/** The group in which an extension reads its topic. */
export function groupOf({ extension, section }: ActiveExtension): string {
  return section.queueProcessor?.groupId ?? section.groupId ?? `${extension.name}-group`;
}

/** Checks the section of an extension that is switched on. @throws StartError naming the field that is wrong. */
export function activate(
  extension: Extension,
  raw: Readonly<Record<string, unknown>>,
  config: BackbeatConfig,
  source: string,
): ActiveExtension {
  const where = `${source}: extensions.${extension.name}`;
  check(where, extensionSection, raw);
  let validated: unknown;
  try {
    validated = unwrap(extension.configValidator?.(config, raw)) ?? raw;
  } catch (err) {
    throw new StartError(`${where}: ${messageOf(err)}`, { cause: err });
  }
  const section = check(where, extensionSection, { ...raw, ...(isObject(validated) ? validated : {}) });
  if (extension.queueProcessor && section.topic === undefined) {
    throw new StartError(`${where}: topic: expected the name of the topic that its processor reads`);
  }
  return { extension, config: validated, section };
}

/** joi answers with `{ error, value }`. */
function unwrap(answer: unknown): unknown {
  if (!isObject(answer) || !('value' in answer) || !('error' in answer)) return answer;
  if (answer.error)
    throw answer.error instanceof Error ? answer.error : new Error(JSON.stringify(answer.error));
  return answer.value;
}

async function loadFolders(folders: string | undefined): Promise<InFolder[]> {
  const found: InFolder[] = [];
  for (const folder of (folders ?? '').split(path.delimiter).filter(Boolean)) {
    const absolute = path.resolve(folder);
    // A folder that is an extension, or one that holds some.
    const index = await indexOf(absolute);
    const indexes = index ? [index] : await indexesIn(absolute);
    if (indexes.length === 0) {
      throw new StartError(`EXTENSIONS_PATH: no extension in ${absolute}: expected <name>/index.js`);
    }
    for (const file of indexes) found.push({ extension: await loadExtension(file), folder: folderOf(file) });
  }
  return found;
}

async function indexesIn(folder: string): Promise<string[]> {
  const found: string[] = [];
  for (const name of await listFolder(folder)) {
    if (name.startsWith('.') || name === 'node_modules') continue;
    const file = await indexOf(path.join(folder, name));
    if (file) found.push(file);
  }
  return found;
}

async function indexOf(folder: string): Promise<string | undefined> {
  const files = await listFolder(folder, true);
  const name = INDEX_FILES.find(file => files.includes(file));
  return name && path.join(folder, name);
}

async function listFolder(folder: string, orFile = false): Promise<string[]> {
  try {
    return (await readdir(folder)).sort();
  } catch (err) {
    const code = (err as NodeJS.ErrnoException).code ?? messageOf(err);
    if (orFile && code === 'ENOTDIR') return [];
    throw new StartError(`EXTENSIONS_PATH: cannot read the folder ${folder} (${code})`, { cause: err });
  }
}

/** Loads the extension of one index file. @throws StartError naming the file and what is wrong. */
export async function loadExtension(file: string): Promise<Extension> {
  let loaded: unknown;
  try {
    loaded = await import(pathToFileURL(file).href);
  } catch (err) {
    const hint = messageOf(err).includes('@zenko-modules/')
      ? '; from outside this repository, export a function (api) => extension instead of importing the package'
      : '';
    throw new StartError(`extension ${file} cannot be loaded: ${messageOf(err)}${hint}`, { cause: err });
  }
  const exported = defaultOf(loaded);
  let extension: unknown;
  try {
    extension = typeof exported === 'function' ? (exported as ExtensionFactory)(API) : exported;
  } catch (err) {
    throw new StartError(`extension ${file} cannot be made: ${messageOf(err)}`, { cause: err });
  }
  return withClasses(checkExtension(file, byFolder(extension, folderOf(file))), file);
}

/** Backbeat's extensions may have any text as a name, because their folder's is what they are found by. */
function byFolder(extension: unknown, folder: string): unknown {
  if (!isObject(extension) || typeof extension.name !== 'string' || extension.name === '') return extension;
  const isUsable = EXTENSION_NAME.test(extension.name) || !EXTENSION_NAME.test(folder);
  return isUsable ? extension : { ...extension, name: folder };
}

function folderOf(file: string): string {
  return path.basename(path.dirname(file));
}

/**
 * Backbeat's extensions may name a function that requires the class, so that only the process that needs it
 * loads it. A function without a prototype cannot be a class.
 */
function withClasses(extension: Extension, file: string): Extension {
  const resolved: Record<string, unknown> = {};
  for (const field of ['queuePopulatorExtension', 'queueProcessor'] as const) {
    const named: unknown = extension[field];
    if (typeof named !== 'function' || named.prototype !== undefined) continue;
    try {
      resolved[field] = defaultOf((named as () => unknown)());
    } catch (err) {
      throw new StartError(`extension ${file}: ${field}: ${messageOf(err)}`, { cause: err });
    }
    if (typeof resolved[field] !== 'function') {
      throw new StartError(`extension ${file}: ${field}: expected a class, or a function that returns one`);
    }
  }
  return { ...extension, ...resolved };
}

function defaultOf(module: unknown): unknown {
  if (!isObject(module)) return module;
  const found = 'default' in module ? module.default : module;
  // A CommonJS file that was compiled from `export default` has a default of its own.
  return isObject(found) && 'default' in found ? found.default : found;
}

function checkExtension(file: string, extension: unknown): Extension {
  const refuse = (what: string): never => {
    throw new StartError(`extension ${file}: ${what}`);
  };
  if (!isObject(extension)) return refuse('its index must export an object, or a function that returns one');
  for (const field of ['name', 'version']) {
    if (typeof extension[field] !== 'string' || extension[field] === '') refuse(`${field}: expected a text`);
  }
  const { name } = extension as { name: string };
  if (!EXTENSION_NAME.test(name)) {
    refuse(`name: expected letters, digits, hyphens and underscores, a letter first`);
  }
  for (const field of ['configValidator', 'queuePopulatorExtension', 'queueProcessor']) {
    if (extension[field] !== undefined && typeof extension[field] !== 'function')
      refuse(`${field}: expected a function or class`);
  }
  if (!extension.queuePopulatorExtension && !extension.queueProcessor) {
    refuse('expected a queuePopulatorExtension, a queueProcessor, or both');
  }
  return extension as Partial<Extension> as Extension;
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null;
}
