/** Where a copy reads and writes: `<backend>:<folder of the metadata module>`, or `mongodown:<connection string>`. */
import { access } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { checkFolder } from '@zenko-modules/common/data-folder';
import { messageOf } from '@zenko-modules/common/errors';
import type { Logger } from '@zenko-modules/common/logger';
import { type Environment, readSettings } from '@zenko-modules/common/settings';
import { StartError } from '@zenko-modules/common/start-error';
import { readUuidFile, UUID_KEY, writeUuidFile } from '../deployment/uuid.js';
import { closeLevel, getValue, openLevel, writeBatch } from '../leveldowns/level-calls.js';
import type { LevelDown, LevelDownPlugin } from '../leveldowns/plugin.js';
import { loadLevelDown } from '../leveldowns/registry.js';

/** The environment may be that of a module, which waits for its store. A copy stands by for nobody. */
const NOT_WAITING = { MONGODB_IN_USE: undefined, MONGODB_IN_USE_FILE: undefined };
/** Backends whose place is not a folder, and the setting that takes it. */
const PLACE_SETTINGS: Readonly<Record<string, string>> = { mongodown: 'MONGODB_URL' };
const PLACES = '<backend>:<folder of the metadata module>, or mongodown:<connection string>';

export type LocationOption = '--from' | '--to';

export interface Location {
  readonly option: LocationOption;
  readonly backend: string;
  /** Empty: as the environment says. */
  readonly place: string;
}

/** @throws StartError that says what is expected. */
export function parseLocation(option: LocationOption, text: string): Location {
  const match = /^(@?[^:]+)(?::(.*))?$/s.exec(text);
  const [, backend = '', place = ''] = match ?? [];
  if (backend === '' || (place === '' && PLACE_SETTINGS[backend] === undefined)) {
    throw new StartError(`${option}: ${JSON.stringify(text)} is not accepted: expected ${PLACES}`);
  }
  const isFolder = PLACE_SETTINGS[backend] === undefined;
  const folder = backend === 'leveldown' && path.basename(place) === 'rootDB' ? path.dirname(place) : place;
  return { option, backend, place: isFolder ? path.resolve(folder) : place };
}

/** For messages: without the password in a connection string. */
export function show({ backend, place }: Location): string {
  return `${backend}:${place.replace(/\/\/[^@/]*@/, '//***@')}`;
}

/** A store that is open for a copy. */
export class OpenedLocation {
  readonly location: Location;
  readonly level: LevelDown;
  readonly #uuidFolder: string | undefined;

  private constructor(location: Location, level: LevelDown, uuidFolder: string | undefined) {
    this.location = location;
    this.level = level;
    this.#uuidFolder = uuidFolder;
  }

  /**
   * Opens the store of a location; it is made when it is the target's.
   * @throws StartError, naming the option, when it is missing, in use, damaged, or cannot be reached.
   */
  static async open(location: Location, env: Environment, log: Logger): Promise<OpenedLocation> {
    const { option, backend, place } = location;
    const placeSetting = PLACE_SETTINGS[backend];
    const plugin = await loadPlugin(location);
    if (placeSetting === undefined) await checkFolder(option, place);
    const isSource = option === '--from';
    if (isSource && backend === 'leveldown') await checkLevelDb(location);
    if (placeSetting === undefined) await checkDamage(plugin, location);
    const overlay =
      placeSetting === undefined || place === ''
        ? {}
        : { [placeSetting]: place, [`${placeSetting}_FILE`]: undefined };
    const settings = readSettings(plugin.settings, { ...env, ...NOT_WAITING, ...overlay });
    const folder = placeSetting === undefined ? place : os.tmpdir();
    try {
      const level = await plugin.create({ settings, folder, log, canStandBy: false });
      await openLevel(level, { createIfMissing: !isSource });
      return new OpenedLocation(location, level, plugin.uuidInFolder === true ? folder : undefined);
    } catch (err) {
      const explained = (err instanceof Error ? plugin.explain?.(err) : undefined) ?? messageOf(err);
      // The option names the folder.
      throw new StartError(`${option}: ${explained.replace(/^METADATA_PATH: /, '')}`, { cause: err });
    }
  }

  /** The deployment's id, or `undefined` when it has none yet. */
  async uuid(): Promise<string | undefined> {
    if (this.#uuidFolder !== undefined) return readUuidFile(this.#uuidFolder);
    return (await getValue(this.level, UUID_KEY))?.toString();
  }

  async setUuid(uuid: string): Promise<void> {
    if (this.#uuidFolder !== undefined) await writeUuidFile(this.#uuidFolder, uuid);
    else await writeBatch(this.level, [{ type: 'put', key: UUID_KEY, value: uuid }]);
  }

  async close(): Promise<void> {
    await closeLevel(this.level);
  }
}

async function loadPlugin({ option, backend }: Location): Promise<LevelDownPlugin> {
  try {
    return await loadLevelDown(backend);
  } catch (err) {
    throw new StartError(`${option}: ${messageOf(err).replace(/^METADATA_BACKEND: /, '')}`, { cause: err });
  }
}

/** A copy of what is left would look whole; and opening it, as a target too, removes what might yet be saved of it. */
async function checkDamage({ findDamage }: LevelDownPlugin, { option, place }: Location): Promise<void> {
  const [damage] = (await findDamage?.(place)) ?? [];
  if (damage === undefined) return;
  const advice =
    option === '--to'
      ? 'Name another folder, and keep this one as it is until nothing in it is missed'
      : 'Let the module start on it with METADATA_ACCEPT_LOSS=true, or bring back a copy of it';
  throw new StartError(`${option}: ${place} has lost what was acknowledged: ${damage}. ${advice}`);
}

/** LevelDB makes a folder for a database that it was told not to make. */
async function checkLevelDb({ option, place }: Location): Promise<void> {
  const file = path.join(place, 'rootDB', 'CURRENT');
  try {
    await access(file);
  } catch (err) {
    throw new StartError(`${option}: ${place} holds no LevelDB (there is no ${file})`, { cause: err });
  }
}
