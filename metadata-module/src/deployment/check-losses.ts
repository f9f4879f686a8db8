/** A start compares what the store holds with what was acknowledged, and lets go of what cannot be read when that is accepted. */
import type { Logger } from '@zenko-modules/common/logger';
import { foreignKey } from '../record-log/record.js';
import { findMissing } from '../record-log/missing-records.js';
import type { RecordLog } from '../record-log/record-log.js';
import type { CommitQueue } from '../store/commit-queue.js';
import type { OpenLevel } from '../store/open-level.js';
import { tellOfLosses } from './losses.js';
import { NewestRecord, readAcknowledged } from './newest-record.js';

export interface CheckLossesOptions {
  readonly store: OpenLevel;
  readonly recordLog: RecordLog;
  readonly commits: CommitQueue;
  readonly uuid: string;
  /** See `MetadataStoreOptions`. */
  readonly noteFolder?: string | undefined;
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
  const { store, recordLog, commits, uuid, noteFolder, damagedReaders, accepted, log } = options;
  const known = noteFolder === undefined ? undefined : await readAcknowledged(noteFolder, uuid, log);
  const missing = await findMissing(store, recordLog, known);
  const { foreignKeys } = recordLog;
  const losses = [
    ...missing,
    ...foreignKeys.map(key => `${foreignKey(key)}: which one it was is not known`),
    ...damagedReaders.map(
      key => `the place of a reader of the record log, ${JSON.stringify(key)}, cannot be read`,
    ),
  ];
  tellOfLosses(losses, accepted, log);
  // Each may have been the record of a number of its own.
  if (losses.length > 0)
    recordLog.numberOnFrom(Math.max(known?.acknowledged ?? 0, recordLog.last + foreignKeys.length));
  else if (known !== undefined) recordLog.numberOnFrom(known.acknowledged);
  const unreadable = [...foreignKeys, ...damagedReaders];
  if (unreadable.length > 0) await commits.commitUnlogged(unreadable.map(key => ({ type: 'del', key })));
  if (noteFolder === undefined) return { losses: losses.length, note: undefined };
  const from = known === undefined || losses.length > 0 ? recordLog.given : known.from;
  const newest = (): number => recordLog.given;
  const note = await NewestRecord.open({ folder: noteFolder, uuid, from, newest, log });
  return { losses: losses.length, note };
}
