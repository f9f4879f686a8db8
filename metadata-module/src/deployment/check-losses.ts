/** A start compares what the store holds with what was acknowledged, and lets go of what cannot be read when that is accepted. */
import type { Logger } from '@zenko-modules/common/logger';
import { foreignKey, recordKey } from '../record-log/record.js';
import { describeMissing, findMissing, type Missing } from '../record-log/missing-records.js';
import type { RecordLog } from '../record-log/record-log.js';
import type { CommitQueue } from '../store/commit-queue.js';
import type { OpenLevel } from '../store/open-level.js';
import { sha256Of } from '../versioning/compare-and-swap.js';
import type { ForeignWrites } from './foreign-writes.js';
import { tellOfLosses } from './losses.js';
import { type Acknowledged, NewestRecord, readAcknowledged, type StoredRecord } from './newest-record.js';

const REMOVE_NOTE =
  '. Another program has written to the store since the module closed it: if it has deleted these keys, remove the file newest-record';

export interface CheckLossesOptions {
  readonly store: OpenLevel;
  readonly recordLog: RecordLog;
  readonly commits: CommitQueue;
  readonly uuid: string;
  /** See `MetadataStoreOptions`. */
  readonly noteFolder?: string | undefined;
  /** See `MetadataStoreOptions`. */
  readonly foreign?: ForeignWrites | undefined;
  /** Keys of readers of the log whose values cannot be read. */
  readonly damagedReaders: readonly string[];
  readonly accepted: boolean;
  readonly log: Logger;
}

export interface CheckedLosses {
  /** How many were accepted. */
  readonly losses: number;
  readonly note: NewestRecord | undefined;
}

/**
 * What is accepted is told of once: keys that cannot be read are deleted, and the log is numbered on after what it has
 * lost, so that its readers find a gap and no other record under a number that they have passed.
 * @throws StartError that names what is lost, unless that is accepted.
 */
export async function checkLosses(options: CheckLossesOptions): Promise<CheckedLosses> {
  const { store, recordLog, commits, uuid, noteFolder, foreign, damagedReaders, accepted, log } = options;
  const known = noteFolder === undefined ? undefined : await readAcknowledged(noteFolder, uuid, log);
  const differing = await findMissing(store, recordLog, known);
  const missing = differing.filter(one => !isForeign(one, known, foreign));
  const { foreignKeys } = recordLog;
  const losses = [
    ...describeMissing(missing),
    ...foreignKeys.map(key => `${foreignKey(key)}: which one it was is not known`),
    ...damagedReaders.map(
      key => `the place of a reader of the record log, ${JSON.stringify(key)}, cannot be read`,
    ),
  ];
  const areGone = missing.length === losses.length && missing.every(({ isGone }) => isGone === true);
  tellOfLosses(losses, accepted, log, foreign !== undefined && areGone ? REMOVE_NOTE : '');
  const isTakenOver = differing.length > 0 && losses.length === 0;
  if (isTakenOver)
    log.info(
      { store: noteFolder, differences: differing.length },
      'another program has written to the store since the module closed it, and all that was acknowledged is there: taken over',
    );
  // Each may have been the record of a number of its own.
  if (losses.length > 0)
    recordLog.numberOnFrom(Math.max(known?.acknowledged ?? 0, recordLog.last + foreignKeys.length));
  else if (known !== undefined) recordLog.numberOnFrom(known.acknowledged);
  const unreadable = [...foreignKeys, ...damagedReaders];
  if (unreadable.length > 0) await commits.commitUnlogged(unreadable.map(key => ({ type: 'del', key })));
  if (noteFolder === undefined) return { losses: losses.length, note: undefined };
  const goesOn = known !== undefined && losses.length === 0 && !isTakenOver;
  const note = await NewestRecord.open({
    folder: noteFolder,
    uuid,
    from: goesOn ? known.from : recordLog.given,
    newest: () => recordLog.given,
    stored: () => newestStored(store, recordLog),
    isClosed: known?.closed !== undefined,
    log,
  });
  return { losses: losses.length, note };
}

/** Whether another program has made it so. What it recorded is not judged. */
function isForeign(
  { seq, key }: Missing,
  known: Acknowledged | undefined,
  foreign: ForeignWrites | undefined,
): boolean {
  if (known === undefined || foreign === undefined) return false;
  return seq > known.acknowledged || (key !== undefined && foreign.keys.has(key));
}

async function newestStored(store: OpenLevel, { last }: RecordLog): Promise<StoredRecord | undefined> {
  if (last === 0) return { record: 0, sha256: '' };
  const stored = await store.get(recordKey(last));
  return stored === undefined ? undefined : { record: last, sha256: sha256Of(stored) };
}
