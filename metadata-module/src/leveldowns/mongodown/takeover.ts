/**
 * Opening: from nothing to being the only one who can change the store.
 *
 * 1. The state document says that it is this process's turn, and gives it an epoch.
 * 2. The markers of the data get this epoch: they stand still for a former owner, and it notices.
 * 3. The journal gets this process's fence: no other process can commit anything from now on.
 *
 * What is committed and not applied, from the number in the markers to the fence, is what a former owner may
 * still be writing into the data, for as long as it exists, and no more than that: it applies one bulk at a
 * time, of what is committed, and the next one only when the markers moved. So all this is applied as a bulk
 * in doubt (see bulk.ts), and then no late write can change anything. Until then the overlay shows it.
 */
import type { MongoClient, ReadPreferenceMode } from 'mongodb';
import { withDeadline } from '@zenko-modules/common/deadline';
import { createClient, type ConnectionOptions } from './connection.js';
import { toLevelError } from './errors.js';
import { claimStore, type Claim, type ClaimOptions } from './claim.js';
import { Journal } from './journal.js';
import { Layout } from './layout.js';
import { Lease } from './lease.js';
import { claimData, confirmData } from './markers.js';
import { recoverJournal, type Recovered } from './recovery.js';
import { hedged, retryUnlessAway } from './retry.js';

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
  /** The journal is in the data up to this number. */
  readonly applied: number;
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
    const claim = await claimStore(client, layout, options);
    const lease = new Lease(layout, claim, options, onLost);
    try {
      return { client, layout, lease, ...(await takeData(layout, lease, claim, options)) };
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
  claim: Claim,
  { timeoutMs, signal, log }: StoreOptions,
): Promise<Pick<Takeover, 'journal' | 'applied' | 'recovered'>> {
  const { created, epoch } = claim;
  const step = <T>(work: () => Promise<T>): Promise<T> =>
    retryUnlessAway(timeoutMs, () =>
      withDeadline(hedged(timeoutMs / 2, signal, work), timeoutMs, 'a step of the opening'),
    );
  const applied = await step(() => claimData(layout, claim));
  if (!created) await step(() => lease.recordCreated());
  const journal = new Journal(layout.journal, lease);
  // Nobody gets to write to the journal before the data is made.
  const cleanEnd = created ? claim.next : 1;
  const recovered = await retryUnlessAway(timeoutMs, () => recoverJournal(journal, applied, cleanEnd));
  // Whoever took over before the fence stood has the markers: what this owner writes from now on, others find.
  await step(() => confirmData(layout, claim));
  const replayed = recovered.entry?.operations.length ?? 0;
  log.info({ store: layout.place, epoch, next: recovered.next, replayed }, 'opened the store');
  return { journal, applied, recovered };
}
