/**
 * Environment variables laid over the configuration file, as Backbeat's images do.
 *
 * `EXTENSIONS_<NAME>_<FIELD>_…` sets a field of an extension's section: `EXTENSIONS_HELLOWORLD_S3_PORT` is
 * `.extensions.helloWorld.s3.port`, `EXTENSIONS_MY_EXTENSION_TOPIC` is that of `my-extension`, `my_extension` or
 * `myExtension`. Upper case stands for the spelling that the file, the extension or the framework uses; a field
 * that none of them knows is taken in lower case. Numbers, `true`, `false`, arrays and objects are read as JSON
 * where the file does not have a text in that place. `…_FILE` names a file that holds the value. The published
 * tutorial spells the first word `EXTENSION_`: that is the same.
 */
import { readFileSync } from 'node:fs';
import { messageOf } from '@zenko-modules/common/errors';
import type { Environment } from '@zenko-modules/common/settings';
import { StartError } from '@zenko-modules/common/start-error';

export type JsonObject = Record<string, unknown>;

/** What the environment can name. */
export interface NamedFields {
  readonly name: string;
  /** The fields of its section, as they are spelled. */
  readonly configFields?: readonly string[];
}

const PREFIX = 'EXTENSIONS_';
const TUTORIAL_PREFIX = 'EXTENSION_';
const FILE_SUFFIX = '_FILE';
/** Begins with the prefix, and is a setting of its own. */
const OTHER_SETTINGS = ['EXTENSIONS_PATH'];
/** Fields that every section may have, spelled so also when the file does not have them. */
const COMMON_FIELDS = ['queueProcessor', 'groupId', 'maxAttempts', 'maxBacklog'];
/** A part of Backbeat that is not ours, but whose credentials the tutorial sets for all processors. */
const REPLICATION = 'replication';
/** Outside the extensions. `LOG_LEVEL` and `KAFKA_HOSTS` are read as settings, too. */
const FIXED: Readonly<Record<string, readonly [string, string]>> = {
  KAFKA_HOSTS: ['kafka', 'hosts'],
  LOG_LEVEL: ['log', 'logLevel'],
  S3_HOST: ['s3', 'host'],
  S3_PORT: ['s3', 'port'],
};

/**
 * Changes `config` by what `env` sets.
 * @returns a line for each variable that names no extension known.
 * @throws StartError when two spellings contradict each other, or a file cannot be read.
 */
export function overlayEnvironment(
  config: JsonObject,
  env: Environment,
  known: readonly NamedFields[],
): string[] {
  for (const [name, path] of Object.entries(FIXED)) {
    const value = valueOf(env, name);
    if (value !== undefined) setAt(config, path, value, []);
  }
  const extensions = objectAt(config, 'extensions');
  const names = [...new Set([...Object.keys(extensions), ...known.map(({ name }) => name), REPLICATION])];
  const warnings: string[] = [];
  for (const [variable, value] of extensionVariables(env)) {
    const parts = variable.slice(PREFIX.length).split('_');
    const found = extensionOf(parts, names, variable);
    if (!found) {
      warnings.push(`${variable} has no effect: it names no field of an extension that there is`);
      continue;
    }
    const fields = known.find(({ name }) => name === found.name)?.configFields ?? [];
    setAt(objectAt(extensions, found.name), found.rest, value, [...fields, ...COMMON_FIELDS]);
  }
  return warnings;
}

/** The extension that the first parts name, the longest name first, and what is left for its field. */
function extensionOf(
  parts: readonly string[],
  names: readonly string[],
  variable: string,
): { name: string; rest: readonly string[] } | undefined {
  for (let used = parts.length - 1; used > 0; used--) {
    const wanted = simplify(parts.slice(0, used).join(''));
    const [name, other] = names.filter(one => simplify(one) === wanted);
    if (other !== undefined) {
      throw new StartError(
        `${variable} stands for ${name ?? ''} as well as for ${other}: set it in the configuration`,
      );
    }
    if (name !== undefined) return { name, rest: parts.slice(used) };
  }
  return undefined;
}

/** The variables that set fields, under their proper names. */
function extensionVariables(env: Environment): Map<string, string> {
  const found = new Map<string, string>();
  for (const variable of Object.keys(env)) {
    const base = variable.endsWith(FILE_SUFFIX) ? variable.slice(0, -FILE_SUFFIX.length) : variable;
    const name = base.startsWith(TUTORIAL_PREFIX) ? PREFIX + base.slice(TUTORIAL_PREFIX.length) : base;
    if (!name.startsWith(PREFIX) || OTHER_SETTINGS.includes(base)) continue;
    const value = valueOf(env, base);
    if (value === undefined) continue;
    const before = found.get(name);
    if (before !== undefined && before !== value) {
      throw new StartError(
        `${base} contradicts its other spelling: set one of them, or both to the same value`,
      );
    }
    found.set(name, value);
  }
  return found;
}

function valueOf(env: Environment, name: string): string | undefined {
  const direct = env[name] ?? '';
  const file = env[name + FILE_SUFFIX] ?? '';
  if (direct !== '' && file !== '')
    throw new StartError(`${name} and ${name}_FILE are both set: set one of them`);
  if (file === '') return direct === '' ? undefined : direct;
  try {
    return readFileSync(file, 'utf8').replace(/\r?\n$/, '');
  } catch (err) {
    throw new StartError(`${name}_FILE: cannot read "${file}" (${messageOf(err)})`, { cause: err });
  }
}

function setAt(target: JsonObject, path: readonly string[], text: string, known: readonly string[]): void {
  let object = target;
  let rest = path;
  for (;;) {
    const { name, used } = fieldOf(object, rest, known);
    rest = rest.slice(used);
    if (rest.length === 0) {
      object[name] = typeof object[name] === 'string' ? text : fromText(text);
      return;
    }
    object = objectAt(object, name);
  }
}

/** The field that the first parts of `path` name: the longest name that is known here. */
function fieldOf(
  object: JsonObject,
  path: readonly string[],
  spelled: readonly string[],
): { name: string; used: number } {
  const known = [...Object.keys(object), ...spelled];
  for (let used = path.length; used > 0; used--) {
    const wanted = simplify(path.slice(0, used).join(''));
    const name = known.find(field => simplify(field) === wanted);
    if (name !== undefined) return { name, used };
  }
  return { name: (path[0] ?? '').toLowerCase(), used: 1 };
}

/** The object under `name`, made when there is nothing. @throws StartError when there is something else. */
function objectAt(parent: JsonObject, name: string): JsonObject {
  const found = Object.hasOwn(parent, name) ? parent[name] : undefined;
  if (typeof found === 'object' && found !== null && !Array.isArray(found)) return found as JsonObject;
  if (found !== undefined) throw new StartError(`${name}: expected an object in the configuration`);
  const made: JsonObject = {};
  parent[name] = made;
  return made;
}

/** What is left of a name where the environment cannot tell more. */
export function simplify(name: string): string {
  return name.replace(/[^A-Za-z0-9]/g, '').toLowerCase();
}

function fromText(text: string): unknown {
  if (!/^(true|false|-?\d+(\.\d+)?|[[{].*)$/s.test(text)) return text;
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return text;
  }
}
