/**
 * The two markers of the data collection, one below and one above all keys. They say whose the data is
 * (`epoch`) and up to which number the journal is in it (`applied`).
 *
 * An owner sets its epoch when it takes over, and only the owner of that epoch moves `applied`. So the
 * markers stand still for a former owner: it notices at its next read or bulk, and no late write of it moves
 * them.
 *
 * Every write to a marker changes something (`touched`), even if it was done before and only its answer was
 * lost. A server need not wait for the majority when a write changes nothing; when a majority has this one,
 * it has all before it.
 */
import { LOWER_MARKER, UPPER_MARKER, type Layout } from './layout.js';
import { corrupt, overtaken } from './errors.js';
import type { Claim } from './claim.js';

/** The upper one first: the lower one is read and trusted. */
export const MARKERS = [UPPER_MARKER, LOWER_MARKER] as const;

/**
 * Makes the data this owner's, and resolves with the number up to which the journal is applied. Done again
 * after a failure, it changes nothing.
 * @throws LevelError `corrupt` when the data is missing, or is of another store, `fenced` when it is of a newer owner
 */
export async function claimData(layout: Layout, claim: Claim): Promise<number> {
  const { epoch, created, store } = claim;
  for (const _id of MARKERS) {
    if (!created) {
      await layout.data.updateOne(
        { _id },
        { $setOnInsert: { epoch: 0, applied: 0, store, touched: 0 } },
        { upsert: true },
      );
    }
    const filter = { _id, epoch: { $lte: epoch } };
    const { matchedCount } = await layout.data.updateOne(filter, { $set: { epoch }, $inc: { touched: 1 } });
    // Missing, or of a newer epoch: what is read below says which.
    if (matchedCount === 0) break;
  }
  return confirmData(layout, claim);
}

/**
 * Resolves as `claimData` does if the markers still have this owner's epoch.
 * @throws LevelError `fenced` when another process has taken them over since
 */
export async function confirmData(layout: Layout, { epoch, store }: Claim): Promise<number> {
  const marker = await layout.data.findOne({ _id: LOWER_MARKER }, { readPreference: 'primary' });
  if (marker?.applied === undefined) {
    throw corrupt(`${layout.data.namespace} has no markers: the data of this store is missing`);
  }
  if (marker.store !== store) {
    throw corrupt(`${layout.data.namespace} is of another store than ${layout.state.namespace}`);
  }
  if (marker.epoch !== epoch) throw overtaken();
  return marker.applied;
}
