/** Settings as a line of the log may show them. */
import { type Environment, readSettings, type SettingsTable } from './settings.js';
import { withoutUser } from './without-user.js';

/**
 * The values of a table that are set, by name. Secrets are left out; of a connection string that is one, the servers and
 * what follows them up to its options are shown.
 */
export function shownSettings(table: SettingsTable, env: Environment): Record<string, unknown> {
  const values: Readonly<Record<string, unknown>> = readSettings(table, env);
  return Object.fromEntries(
    Object.entries(values).flatMap(([name, value]) => {
      if (value === undefined) return [];
      if (table[name]?.secret !== true) return [[name, shown(value)]];
      const isUrl = typeof value === 'string' && name.endsWith('_URL') && value.includes('://');
      return isUrl ? [[name, withoutUser(value).split('?', 1)[0]]] : [];
    }),
  );
}

function shown(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(shown);
  if (typeof value !== 'object' || value === null || !('host' in value) || !('port' in value)) return value;
  return `${String(value.host)}:${String(value.port)}`;
}
