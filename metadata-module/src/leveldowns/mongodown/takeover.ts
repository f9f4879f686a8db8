/**
 * Opening: from nothing to being the only one who can change the store.
 *
 * 1. The lease says that it is this process's turn, and which generation it has.
 * 2. The data moves to that generation: no other process can change it from now on.
 * 3. The journal ends with this process's fence: no other process can commit anything from now on. What was
 *    committed before is read, and is visible and applied later like this process's own batches.
 *
 * 2 comes before 3, so that the data's marker, which tells where to begin in the journal, stands still. What the former
 * owner commits in between is in the journal, and so is not missed.
 */
import type { MongoClient, ReadPreferenceMode } from 'mongodb';
import { withDeadline } from '@zenko-modules/common/deadline';
import { createClient, type ConnectionOptions } from './connection.js';
import { toLevelError } from './errors.js';
import { dropLeftovers, settleData, type Marker } from './generation.js';
import { Journal } from './journal.js';
import { Layout } from './layout.js';
import { Lease, type Inheritance, type LeaseOptions } from './lease.js';
import { recoverJournal, type Recovered } from './recovery.js';
import { retryUnlessAway } from './retry.js';

const GIVE_UP_MS = 500;

export interface StoreOptions extends ConnectionOptions, LeaseOptions {
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
  readonly marker: Marker;
  readonly recovered: Recovered;
}

/**
 * @param onLost told once another process is seen to own the store, also while this still runs
 * @throws LevelError `unavailable` when the servers are away, `fenced` when another process owns the store
 * (see `LeaseOptions.inUse`), `corrupt` when collections are missing or damaged
 */
export async function takeOver(options: StoreOptions, onLost: (err: Error) => void): Promise<Takeover> {
  const client = createClient(options);
  try {
    const layout = new Layout(client.db(options.database), options.collection);
    const { lease, inheritance } = await Lease.acquire(layout, options, onLost);
    try {
      return { client, layout, lease, ...(await takeData(layout, lease, inheritance, options)) };
    } catch (err) {
      await giveUp(lease, options);
      throw err;
    }
  } catch (err) {
    await client.close(true);
    throw toLevelError(err);
  }
}

/** Lets others try at once, if the server hears it. */
async function giveUp(lease: Lease, { log }: StoreOptions): Promise<void> {
  try {
    await withDeadline(lease.release(undefined), GIVE_UP_MS, 'giving the store up');
  } catch (err) {
    log.warn({ err }, 'the store could not be given up: others must wait for the lease to end');
  }
}

async function takeData(
  layout: Layout,
  lease: Lease,
  { store, data, next }: Inheritance,
  { timeoutMs, log }: StoreOptions,
): Promise<Pick<Takeover, 'journal' | 'marker' | 'recovered'>> {
  const marker = await retryUnlessAway(timeoutMs, () => settleData(layout, lease, data, store));
  const journal = new Journal(layout.journal, lease.id);
  const recovered = await retryUnlessAway(timeoutMs, () => recoverJournal(journal, marker.applied, next));
  await retryUnlessAway(timeoutMs, () => dropLeftovers(layout, lease.generation, log));
  log.info(
    {
      store: layout.place,
      generation: lease.generation,
      next: recovered.next,
      replayed: recovered.entries.length,
    },
    'opened the store',
  );
  return { journal, marker, recovered };
}
