/** Copies everything that a metadata module keeps from one LevelDOWN into another. */
import { StartError } from '@zenko-modules/common/start-error';
import { getValue, readEntries, writeBatch } from '../leveldowns/level-calls.js';
import { compare } from './compare.js';
import { type CopyState, deleteState, putState, readState } from './copy-state.js';
import type { Totals } from './digest.js';
import { type OpenedLocation, show } from './location.js';
import { countEntries, entriesOf, transfer } from './transfer.js';

/** Told what is going on, for people who wait. */
export interface CopyObserver {
  phase(name: 'counting' | 'copying' | 'verifying', done: number, total: number): void;
  done(entries: number): void;
}

export interface CopyOptions {
  readonly source: OpenedLocation;
  readonly target: OpenedLocation;
  readonly observer: CopyObserver;
  readonly signal: AbortSignal;
}

/**
 * Resolves when the target holds all that the source does, compared entry by entry, and the deployment's id.
 * Interrupted anywhere, the same call goes on where it was.
 * @throws StartError when the target holds anything else, or differs from the source in the end.
 */
export async function copyStore({ source, target, observer, signal }: CopyOptions): Promise<Totals> {
  const uuid = await source.uuid();
  await refuseUnfinished(source);
  await checkUuid(target, uuid);
  const state = await begin(target, uuid ?? show(source.location));
  observer.phase('counting', 0, 0);
  const total = await countEntries(source.level, signal);
  observer.phase('copying', state.entries, total);
  await transfer({
    source: source.level,
    target: target.level,
    state,
    onWritten: ({ entries }) => observer.done(entries),
    signal,
  });
  observer.phase('verifying', 0, total);
  const totals = await verify(source, target, observer, signal);
  if (uuid !== undefined) await target.setUuid(uuid);
  await writeBatch(target.level, [deleteState()]);
  return totals;
}

async function refuseUnfinished({ level, location }: OpenedLocation): Promise<void> {
  if ((await readState(key => getValue(level, key))) === undefined) return;
  throw new StartError(`--from: ${show(location)} is an unfinished copy itself: complete that one first`);
}

/** The state to go on from: that of an earlier attempt, or a new one in an empty target. */
async function begin(target: OpenedLocation, source: string): Promise<CopyState> {
  const { level, location } = target;
  const known = await readState(key => getValue(level, key));
  if (known !== undefined) {
    if (known.source === source) return known;
    throw new StartError(`--to: ${show(location)} is an unfinished copy of another source, ${known.source}`);
  }
  for await (const { key } of readEntries(level, { limit: 1 })) {
    throw new StartError(
      `--to: ${show(location)} is not empty (it holds key ${JSON.stringify(key.toString())}): copies go into an empty store`,
    );
  }
  const state = { source, entries: 0, bytes: 0, lastKey: '' };
  await writeBatch(level, [putState(state)]);
  return state;
}

async function verify(
  source: OpenedLocation,
  target: OpenedLocation,
  observer: CopyObserver,
  signal: AbortSignal,
): Promise<Totals> {
  const readers = [entriesOf(source.level), entriesOf(target.level)] as const;
  let compared = 0;
  try {
    const totals = await compare(...readers, () => {
      signal.throwIfAborted();
      compared += 1;
      observer.done(compared);
    });
    if (totals.source.sha256 !== totals.target.sha256)
      throw new Error('equal entries with unequal checksums');
    return totals.target;
  } finally {
    await Promise.all(readers.map(reader => reader.return(undefined)));
  }
}

/** An earlier attempt may have brought the id, and nobody else may have. */
async function checkUuid(target: OpenedLocation, uuid: string | undefined): Promise<void> {
  const own = await target.uuid();
  if (own === undefined || own === uuid) return;
  throw new StartError(`--to: ${show(target.location)} holds the id of another deployment, ${own}`);
}
