/** What a copy keeps in its target until it is complete, in the same batches as the entries. */
import { StartError } from '@zenko-modules/common/start-error';
import { z } from 'zod';
import { UUID_KEY } from '../deployment/uuid.js';
import { RECORD_LOGS_DATABASE } from '../record-log/record.js';
import { Database } from '../store/key-space.js';
import { parseValue } from '../versioning/version-value.js';

/** No client reaches a database below this name. */
const STATE_KEY = new Database([RECORD_LOGS_DATABASE, 'copy']).keyOf('state');

const STATE = z.object({
  format: z.literal('metadata copy 1'),
  /** The deployment's id, where the source was, or which backup it is. */
  source: z.string(),
  /** Entries and bytes that are in the target. */
  entries: z.number().int().min(0),
  bytes: z.number().int().min(0),
  /** The last key that is in the target, in hexadecimal; empty before the first. */
  lastKey: z.string(),
});

export type CopyState = Omit<z.infer<typeof STATE>, 'format'>;

type Reader = (key: string) => Promise<Buffer | string | undefined>;

/** The state of an unfinished copy into the store that `get` reads, or `undefined`. */
export async function readState(get: Reader): Promise<CopyState | undefined> {
  const text = await get(STATE_KEY);
  if (text === undefined) return undefined;
  const parsed = STATE.safeParse(parseValue(text.toString()));
  if (parsed.success) return parsed.data;
  throw new StartError(
    'the store is an unfinished copy that another version of metadata:copy began, or whose state is damaged: ' +
      'begin it anew into an empty store',
  );
}

export function putState(state: CopyState): { type: 'put'; key: string; value: string } {
  const value = { format: 'metadata copy 1', ...state } satisfies z.infer<typeof STATE>;
  return { type: 'put', key: STATE_KEY, value: JSON.stringify(value) };
}

export function deleteState(): { type: 'del'; key: string } {
  return { type: 'del', key: STATE_KEY };
}

/** Entries that a copy does not take over as they are: its own, and the deployment's id, which not all stores hold. */
export function isLeftOut(key: Buffer): boolean {
  const text = key.toString();
  return text === STATE_KEY || text === UUID_KEY;
}

/** @throws StartError when the store that `get` reads is a copy that was interrupted: half of its data is missing. */
export async function refuseUnfinishedCopy(get: Reader): Promise<void> {
  const state = await readState(get);
  if (state === undefined) return;
  throw new StartError(
    `METADATA_BACKEND: the store is an unfinished copy of ${state.source} (${state.entries} entries so far): ` +
      'complete it with what began it, npm run metadata:copy or restore, and the same arguments',
  );
}
