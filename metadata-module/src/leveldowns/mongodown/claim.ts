/** Becoming the owner: README.md, "Taking over". */
import { randomUUID } from 'node:crypto';
import { hostname } from 'node:os';
import { sleep, withDeadline } from '@zenko-modules/common/deadline';
import type { Logger } from '@zenko-modules/common/logger';
import type { MongoClient } from 'mongodb';
import type { OwnerWatcher } from '../plugin.js';
import { corrupt, fenced, isDuplicateKey, isTransient, toLevelError } from './errors.js';
import {
  FORMAT,
  STATE_ID,
  type LateTurns,
  type Layout,
  type Owner,
  type StateDocument,
} from './documents.js';
import type { LeaseStart } from './lease.js';
import { hedged } from './retry.js';

const LOOKS_PER_LEASE = 12;
const LONGEST_PAUSE_MS = 1000;
/** Signs of life that show an owner to live: a single one may have been under way when its process died. */
const BEATS_OF_LIFE = 2;

export interface ClaimOptions {
  readonly leaseMs: number;
  readonly timeoutMs: number;
  /** What to do when another process owns the store, or the servers cannot be reached to find out. */
  readonly inUse: 'refuse' | 'wait';
  /** False: there is no way to wait, of which the refusal tells otherwise. */
  readonly canStandBy?: boolean | undefined;
  readonly createIfMissing: boolean;
  readonly errorIfExists: boolean;
  /** Owner ids that this process had and gave up: no need to wait for their lease. One that fails to open is added. */
  readonly formerIds: Set<string>;
  /** Where this process will serve as the owner. */
  readonly address?: string | undefined;
  readonly watcher?: OwnerWatcher | undefined;
  /** Ends the waiting; its reason is what the claim rejects with. */
  readonly signal: AbortSignal;
  readonly log: Logger;
}

/** A claim that has succeeded. */
export interface Claim extends LeaseStart {
  readonly store: string;
  /** See `StateDocument.created`. */
  readonly created: boolean;
  /** The format that the store has: FORMAT, or an older one that is to be made into it. */
  readonly format: number;
  /** See StateDocument. */
  readonly late: LateTurns | undefined;
  readonly settled: boolean;
}

type Claimed = Omit<Claim, 'id' | 'sentAt' | 'leaseMs'>;

/**
 * Waits until the store may be taken, and takes it. An owner that gives a sign of life is waited for, or
 * (`refuse`) makes this reject with LevelError `fenced`; so are servers that are away, or (`refuse`) they make
 * it reject with `unavailable` after `timeoutMs`.
 */
export async function claimStore(client: MongoClient, layout: Layout, options: ClaimOptions): Promise<Claim> {
  const { address, watcher } = options;
  const owner: Owner = {
    id: randomUUID(),
    host: hostname(),
    pid: process.pid,
    ...(address !== undefined && { address }),
  };
  const watch = new Watch();
  let awaySince: number | undefined;
  for (;;) {
    options.signal.throwIfAborted();
    const sentAt = performance.now();
    try {
      const look = hedged(options.timeoutMs / 2, options.signal, async () => {
        // By itself the driver does not connect again when its first try has failed.
        await client.connect();
        return tryToClaim(layout, owner, options, watch);
      });
      const claimed = await withDeadline(look, options.timeoutMs, 'looking for the owner');
      awaySince = undefined;
      if (claimed !== undefined) return { ...claimed, id: owner.id, sentAt, leaseMs: options.leaseMs };
    } catch (err) {
      if (!isTransient(err)) throw err;
      watch.restart();
      if (awaySince === undefined) options.log.warn({ err }, 'MongoDB cannot be reached to open the store');
      awaySince ??= sentAt;
      watcher?.away(toLevelError(err));
      const patient = options.inUse === 'wait';
      if (!patient && performance.now() - awaySince >= options.timeoutMs) throw toLevelError(err);
    }
    const pause = (watch.leaseMs ?? options.leaseMs) / LOOKS_PER_LEASE;
    await sleep(Math.min(pause, LONGEST_PAUSE_MS), options.signal);
  }
}

/** How long the same beat has been seen. */
class Watch {
  #state: StateDocument | undefined;
  #since = 0;
  #beats = 0;

  /** True when the owner gave signs of life while it was watched. */
  get sawLife(): boolean {
    return this.#beats >= BEATS_OF_LIFE;
  }

  get leaseMs(): number | undefined {
    return this.#state?.leaseMs;
  }

  /** Notes a look; returns for how many milliseconds nothing has changed. */
  look(state: StateDocument): number {
    const last = this.#state;
    if (last?.owner.id !== state.owner.id || last.beat !== state.beat) {
      this.#beats = last?.owner.id === state.owner.id ? this.#beats + 1 : 0;
      this.#state = state;
      this.#since = performance.now();
    }
    return performance.now() - this.#since;
  }

  /** The servers were away: the owner could not give a sign of life either. */
  restart(): void {
    this.#since = performance.now();
  }
}

/**
 * One look at the state, and a claim if it may be taken. `undefined` when not, or when somebody was faster.
 */
async function tryToClaim(
  layout: Layout,
  owner: Owner,
  options: ClaimOptions,
  watch: Watch,
): Promise<Claimed | undefined> {
  const state = await layout.state.findOne({ _id: STATE_ID }, { readPreference: 'primary' });
  if (state === null) return create(layout, owner, options);
  if (state.format > FORMAT) {
    throw corrupt(`${layout.place} has format ${state.format}: this version reads and writes ${FORMAT}`);
  }
  if (options.errorIfExists && state.created) throw new Error(`the store ${layout.place} exists already`);
  if (state.owner.id === owner.id) return claimedEarlier(layout, state);
  const silentMs = watch.look(state);
  if (state.released || options.formerIds.has(state.owner.id) || silentMs >= state.leaseMs) {
    return claim(layout, state, owner, options);
  }
  if (watch.sawLife && options.inUse === 'refuse') throw inUse(layout, state, options);
  options.watcher?.owned({ id: state.owner.id, address: state.owner.address });
  return undefined;
}

/** Makes the first state document; `undefined` when somebody else was first. */
async function create(layout: Layout, owner: Owner, options: ClaimOptions): Promise<Claimed | undefined> {
  if (!options.createIfMissing) throw new Error(`the store ${layout.place} does not exist`);
  if (await layout.hasCollections()) {
    // Made by somebody who began after this process had looked.
    if ((await layout.state.findOne({ _id: STATE_ID }, { readPreference: 'primary' })) !== null)
      return undefined;
    throw corrupt(
      `the document "${STATE_ID}" of ${layout.state.namespace} is missing, yet other collections of this store ` +
        `are there: restore all of them together`,
    );
  }
  const first = { store: randomUUID(), epoch: 1, created: false, format: FORMAT };
  const { leaseMs } = options;
  try {
    await layout.state.insertOne({
      _id: STATE_ID,
      owner,
      ...first,
      beat: 1,
      leaseMs,
      released: false,
    });
  } catch (err) {
    if (isDuplicateKey(err)) return undefined;
    throw err;
  }
  return { ...first, late: undefined, settled: true };
}

/** Takes the store over, unless its state has changed since `state` was read. */
async function claim(
  layout: Layout,
  state: StateDocument,
  owner: Owner,
  { leaseMs, log }: ClaimOptions,
): Promise<Claimed | undefined> {
  const { owner: former, beat, store, created, format, late } = state;
  const epoch = state.epoch + 1;
  const filter = { _id: STATE_ID, 'owner.id': former.id, epoch: state.epoch, beat } as const;
  const { matchedCount } = await layout.state.updateOne(filter, {
    $set: { owner, epoch, leaseMs, released: false },
    $inc: { beat: 1 },
    $unset: { settled: '' },
  });
  if (matchedCount === 0) return undefined;
  log.info({ store: layout.place, former, epoch }, 'took the store over');
  return { epoch, store, created, format, late, settled: state.settled === true };
}

/** The answer to an earlier claim was lost, and with it whether the former owner had settled everything. */
async function claimedEarlier(
  layout: Layout,
  { owner, epoch, store, created, format, late }: StateDocument,
): Promise<Claimed | undefined> {
  const filter = { _id: STATE_ID, 'owner.id': owner.id, epoch } as const;
  const { matchedCount } = await layout.state.updateOne(filter, { $inc: { beat: 1 } });
  return matchedCount === 1 ? { epoch, store, created, format, late, settled: false } : undefined;
}

function inUse(layout: Layout, { owner }: StateDocument, { canStandBy = true }: ClaimOptions): Error {
  const advice = canStandBy ? 'stop it, or set MONGODB_IN_USE=wait to stand by for it' : 'stop it first';
  return fenced(`the store ${layout.place} is in use by process ${owner.pid} on ${owner.host}: ${advice}`);
}
