/** Makes a store of format 1, whose journal had a document for each batch, into one of this version's. */
import type { Claim } from './claim.js';
import { LOWER_MARKER, MARKERS, STATE_ID, UPPER_MARKER, type Layout } from './documents.js';
import { corrupt } from './errors.js';
import type { Journal } from './journal.js';

/**
 * Done again after a failure, it does what is left. Nothing but the state's `format` says that it is done.
 * @throws LevelError `corrupt` when the store was not closed by the version that wrote it
 */
export async function upgradeStore(layout: Layout, { epoch }: Claim, journal: Journal): Promise<void> {
  const { data } = layout;
  const state = await layout.state.findOne({ _id: STATE_ID }, { readPreference: 'primary' });
  const marker = await data.findOne({ _id: LOWER_MARKER, epoch }, { readPreference: 'primary' });
  const applied = marker?.applied ?? 0;
  // A document of the old journal has no epoch, or is a fence, which counts for nothing in a closed store.
  const entries = { _id: { $gt: applied }, kind: 'batch' } as object;
  const left = await layout.journal.countDocuments(entries, { readPreference: 'primary' });
  if (state?.next === undefined || left > 0) {
    throw corrupt(
      `${layout.place} has format 1 and was not closed in order: open and close it once with the version that wrote it`,
    );
  }
  const { next } = state;
  const keys = { $gt: LOWER_MARKER, $lt: UPPER_MARKER };
  await data.deleteMany({ _id: keys, deleted: true });
  await layout.journal.deleteMany({ kind: { $exists: true } });
  await journal.create(applied);
  // No document has a greater number than the journal had.
  for (const _id of MARKERS) await data.updateOne({ _id, epoch }, { $max: { turn: next } });
}
