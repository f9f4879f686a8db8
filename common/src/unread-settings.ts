/** Settings of what was not chosen: who set one meant it to have an effect. */
import type { Environment, SettingsTable } from './settings.js';
import { MEMCACHED_SETTINGS, MONGODB_CLIENT_SETTINGS } from './shared-settings.js';
import { StartError } from './start-error.js';

/** How servers are reached: several parts may share an environment, and the stack files set it whatever is chosen. */
const SHARED: SettingsTable = { ...MEMCACHED_SETTINGS, ...MONGODB_CLIENT_SETTINGS };

export interface Choice {
  readonly name: string;
  readonly settings: SettingsTable;
}

export interface ReadSettings {
  /** The setting that chooses, such as DATA_BACKEND. */
  readonly setting: string;
  readonly chosen: Choice;
  /** All that could have been chosen. */
  readonly choices: readonly Choice[];
  /** Names of settings that are set whatever is chosen. */
  readonly preset?: readonly string[];
}

/** @throws StartError that names each setting that is for another choice alone, and that one */
export function refuseUnread(
  { setting, chosen, choices, preset = [] }: ReadSettings,
  env: Environment,
): void {
  const read = new Set([...Object.keys(chosen.settings), ...Object.keys(SHARED), ...preset]);
  const owners = new Map<string, string[]>();
  for (const { name, settings } of choices) {
    for (const unread of Object.keys(settings).filter(one => !read.has(one) && isSet(one, env)))
      owners.set(unread, [...(owners.get(unread) ?? []), name]);
  }
  if (owners.size === 0) return;
  const found = [...owners].map(([name, names]) => `${name}: it is for ${names.join(' and ')}`);
  throw new StartError(
    `${setting}=${chosen.name}: set, and without effect for it: ${found.join('; ')}: unset it, or choose another ${setting}`,
  );
}

export function isSet(name: string, env: Environment): boolean {
  return Boolean(env[name]) || Boolean(env[`${name}_FILE`]);
}
