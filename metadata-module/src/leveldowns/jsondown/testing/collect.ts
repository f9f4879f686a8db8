import { closeLevel, openLevel, readEntries } from '../../level-calls.js';
import { JsonDown, type JsonDownOptions } from '../json-down.js';
import type { JsonStorage } from '../storage.js';

/** A store that has been opened; it is closed when the test ends. */
export async function openedJsonDown(
  t: { after(run: () => Promise<void>): void },
  place: string | JsonStorage,
  options: JsonDownOptions = {},
): Promise<JsonDown> {
  const store = new JsonDown(place, options);
  await openLevel(store);
  t.after(() => closeLevel(store));
  return store;
}

/** Every entry as text. */
export async function allEntries(store: JsonDown): Promise<Record<string, string>> {
  const found: Record<string, string> = {};
  for await (const { key, value } of readEntries(store)) found[key.toString()] = value.toString();
  return found;
}

/** Opens the store of a place, reads everything and closes it again. */
export async function readStore(
  place: string,
  options: JsonDownOptions = {},
): Promise<Record<string, string>> {
  const store = new JsonDown(place, options);
  await openLevel(store, { createIfMissing: false });
  try {
    return await allEntries(store);
  } finally {
    await closeLevel(store);
  }
}
