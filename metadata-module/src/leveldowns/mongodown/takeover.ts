/** From nothing to being the only one who can change the store: README.md, "Taking over". */
import { withDeadline } from '@zenko-modules/common/deadline';
import type { MongoClient, ReadPreferenceMode } from 'mongodb';
import { claimStore, type Claim, type ClaimOptions } from './claim.js';
import { closeClient, createClient, type ConnectionOptions } from './connection.js';
import { FORMAT, Layout, LOWER_MARKER, MARKERS, UPPER_MARKER } from './documents.js';
import { corrupt, overtaken, toLevelError } from './errors.js';
import { Journal, numberBehindSlots, type Recovered } from './journal.js';
import { TurnSet } from './late-puts.js';
import { Lease } from './lease.js';
import { hedged, retryUnlessAway } from './retry.js';
import { upgradeStore } from './upgrade.js';

const GIVE_UP_MS = 500;

export interface StoreOptions extends ConnectionOptions, ClaimOptions {
  readonly database: string;
  readonly collection: string;
  readonly readPreference: ReadPreferenceMode;
}

/** A store that is this process's. */
export interface Takeover {
  readonly client: MongoClient;
  readonly layout: Layout;
  readonly lease: Lease;
  readonly journal: Journal;
  /** Every batch up to this number is in the data. */
  readonly applied: number;
  readonly recovered: Recovered;
  /** The last turn that was taken, and those whose puts may come late. */
  readonly turn: number;
  readonly late: TurnSet;
  /** The store's id. */
  readonly store: string;
}

/**
 * @param onLost told once another process is seen to own the store, also while this still runs
 * @throws LevelError `unavailable` when the servers are away, `fenced` when another process owns the store
 * (see `ClaimOptions.inUse`), `corrupt` when collections are missing or damaged
 */
export async function takeOver(options: StoreOptions, onLost: (err: Error) => void): Promise<Takeover> {
  const client = createClient(options);
  try {
    const layout = new Layout(client.db(options.database), options.collection);
    const claim = await claimStore(client, layout, options);
    const lease = new Lease(layout, claim, options, onLost);
    try {
      const { store } = claim;
      return { client, layout, lease, store, ...(await takeData(layout, lease, claim, options)) };
    } catch (err) {
      if (!(await giveUp(lease, options))) options.formerIds.add(lease.id);
      throw err;
    }
  } catch (err) {
    await closeClient(client, options.log);
    throw toLevelError(err);
  }
}

/** Lets others try at once; resolves with whether the server has heard it. */
async function giveUp(lease: Lease, { log }: StoreOptions): Promise<boolean> {
  try {
    await withDeadline(lease.release(false), GIVE_UP_MS, 'giving the store up');
    return true;
  } catch (err) {
    log.warn({ err }, 'the store could not be given up: others must wait for the lease to end');
    return false;
  }
}

/** Each step does nothing when it is done again, and fails when a newer owner has done it. */
async function takeData(
  layout: Layout,
  lease: Lease,
  claim: Claim,
  { timeoutMs, signal, log }: StoreOptions,
): Promise<Pick<Takeover, 'journal' | 'applied' | 'recovered' | 'turn' | 'late'>> {
  const { created, epoch, format } = claim;
  const step = <T>(work: () => Promise<T>): Promise<T> =>
    retryUnlessAway(timeoutMs, () =>
      withDeadline(hedged(timeoutMs / 2, signal, work), timeoutMs, 'a step of the opening'),
    );
  const journal = new Journal(layout, epoch);
  await step(() => claimMarkers(layout, claim));
  if (!created) await step(() => journal.create(0));
  else if (format < FORMAT) await step(() => upgradeStore(layout, claim, journal));
  if (!created || format < FORMAT) await step(() => lease.recordCreated());
  await step(() => journal.fence());
  const slots = await step(() => journal.slots());
  const marker = await step(() => readMarker(layout, claim));
  const late = new TurnSet(claim.late);
  // The former owner noted its turn, and did not learn that it had been carried out: what it put counts for nothing.
  // No slot was used again for what was to be done once more.
  const isUndone = late.has(marker.turn);
  const applied = isUndone ? Math.min(marker.applied, numberBehindSlots(slots)) : marker.applied;
  if (isUndone) await step(() => setBack(layout, claim, applied));
  const recovered = await retryUnlessAway(timeoutMs, () => journal.recover(slots, applied));
  let turn = Math.max(marker.turn, late.last);
  if (!claim.settled) {
    // The former owner has sent one command at most that is neither done nor noted: that of the next turn.
    turn += 1;
    await step(() => lease.noteLate(late.rangeWith(turn)));
    late.add(turn);
  }
  const replayed = recovered.entry?.operations.length ?? 0;
  log.info({ store: layout.place, epoch, next: recovered.next, replayed }, 'opened the store');
  return { journal, applied, recovered, turn, late };
}

/** Makes the markers of a new store, and gives them this owner's epoch. */
async function claimMarkers(layout: Layout, claim: Claim): Promise<void> {
  const { epoch, created, store } = claim;
  for (const _id of MARKERS) {
    if (!created) {
      const first = { epoch: 0, applied: 0, store, touched: 0 };
      await layout.data.updateOne({ _id }, { $setOnInsert: first }, { upsert: true });
    }
    const filter = { _id, epoch: { $lte: epoch } };
    const change = { $set: { epoch }, $inc: { touched: 1 }, $max: { turn: 0 } };
    const { matchedCount } = await layout.data.updateOne(filter, change);
    if (matchedCount === 0) {
      await readMarker(layout, claim);
      throw corrupt(`${layout.data.namespace} lacks one of its markers`);
    }
  }
}

/** Has the markers say no more than what is in the data: should this owner die half-way, the next one does all again. */
async function setBack(layout: Layout, claim: Claim, applied: number): Promise<void> {
  for (const _id of [LOWER_MARKER, UPPER_MARKER]) {
    const change = { $set: { applied }, $inc: { touched: 1 } };
    const { matchedCount } = await layout.data.updateOne({ _id, epoch: claim.epoch }, change);
    if (matchedCount === 0) throw overtaken();
  }
}

/** @throws LevelError `fenced` when the markers are a newer owner's, `corrupt` when they are missing */
async function readMarker(
  layout: Layout,
  { epoch, store }: Claim,
): Promise<{ applied: number; turn: number }> {
  const marker = await layout.data.findOne({ _id: LOWER_MARKER }, { readPreference: 'primary' });
  if (marker?.applied === undefined || marker.epoch === undefined) {
    throw corrupt(`${layout.data.namespace} has no markers: the data of this store is missing`);
  }
  if (marker.store !== store) {
    throw corrupt(`${layout.data.namespace} is of another store than ${layout.state.namespace}`);
  }
  if (marker.epoch > epoch) throw overtaken();
  return { applied: marker.applied, turn: marker.turn ?? 0 };
}
