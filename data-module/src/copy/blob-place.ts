/** Where a copy reads and writes: `<store>:<place>`, such as `disk:/srv/blobs`. */
import os from 'node:os';
import { messageOf } from '@zenko-modules/common/errors';
import type { Logger } from '@zenko-modules/common/logger';
import type { Environment } from '@zenko-modules/common/settings';
import { StartError } from '@zenko-modules/common/start-error';
import type { DataStore } from '../data-store.js';
import { openStore } from '../stores/open-store.js';
import { loadStore } from '../stores/registry.js';

export type PlaceOption = '--from' | '--to';

export interface BlobPlace {
  readonly option: PlaceOption;
  readonly backend: string;
  readonly place: string;
}

/** @throws StartError that says what is expected. */
export function parsePlace(option: PlaceOption, text: string): BlobPlace {
  const [, backend, place] = /^(@?[^:]+):(.+)$/s.exec(text) ?? [];
  if (backend === undefined || place === undefined) {
    throw new StartError(`${option}: ${JSON.stringify(text)} is not accepted: expected <store>:<place>`);
  }
  return { option, backend, place };
}

/**
 * Opens the store at a place. All other settings of the store come from `env`.
 * @throws StartError, naming the option, when that cannot be done.
 */
export async function openPlace(
  { option, backend, place }: BlobPlace,
  env: Environment,
  log: Logger,
): Promise<DataStore> {
  try {
    const plugin = await loadStore(backend);
    const { placeSetting } = plugin;
    if (placeSetting === undefined)
      throw new StartError(`${backend} takes no place: it names no placeSetting`);
    const at = { ...env, [placeSetting]: place, [`${placeSetting}_FILE`]: undefined };
    const worker = { index: 0, count: 1 };
    return await openStore(plugin, { dataDir: os.tmpdir(), env: at, log, worker });
  } catch (err) {
    throw new StartError(`${option}: ${messageOf(err)}`, { cause: err });
  }
}
