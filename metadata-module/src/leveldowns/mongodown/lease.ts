/**
 * Who owns the store: one document that the owner writes to again and again.
 *
 * No two clocks are ever compared. The owner adds one to `beat` three times per lease; another process takes
 * over when it has watched the same beat for a whole lease by its own clock, with a write that only
 * succeeds if the beat is still that one. Every owner, and every owner that moves the data, claims a
 * `generation` that nobody had before.
 *
 * The lease only decides who should write. That nobody else can is the work of the journal's fence and of
 * the generations: an owner that was frozen may believe in its lease for as long as it likes.
 */
import { randomUUID } from 'node:crypto';
import { hostname } from 'node:os';
import { sleep } from '@zenko-modules/common/deadline';
import type { Logger } from '@zenko-modules/common/logger';
import { corrupt, fenced, isDuplicateKey, isTransient, toLevelError } from './errors.js';
import { FORMAT, STATE_ID, type Layout, type Owner, type StateDocument } from './layout.js';

const BEATS_PER_LEASE = 3;
const LOOKS_PER_LEASE = 8;
const LONGEST_PAUSE_MS = 1000;

export interface LeaseOptions {
  readonly leaseMs: number;
  readonly timeoutMs: number;
  /** What to do when another process owns the store. */
  readonly inUse: 'refuse' | 'wait';
  readonly createIfMissing: boolean;
  readonly errorIfExists: boolean;
  /** Owner ids that this process had and gave up: no need to wait for their lease. */
  readonly formerIds: ReadonlySet<string>;
  readonly signal: AbortSignal;
  readonly log: Logger;
}

/** What the former owner left. */
export interface Inheritance {
  readonly store: string;
  /** See `StateDocument.data`. */
  readonly data: number;
  /** The next journal number when the former owner left nothing under way. */
  readonly next: number | undefined;
}

export class Lease {
  readonly id: string;
  readonly #layout: Layout;
  readonly #leaseMs: number;
  readonly #log: Logger;
  readonly #onLost: (err: Error) => void;
  #generation: number;
  /** When the last beat that arrived was sent, by the monotonic clock. */
  #renewedAt: number;
  #beating: Promise<void> | undefined;
  #timer: NodeJS.Timeout | undefined;

  private constructor(
    layout: Layout,
    claim: { id: string; generation: number; sentAt: number },
    options: LeaseOptions,
    onLost: (err: Error) => void,
  ) {
    this.id = claim.id;
    this.#layout = layout;
    this.#generation = claim.generation;
    this.#renewedAt = claim.sentAt;
    this.#leaseMs = options.leaseMs;
    this.#log = options.log;
    this.#onLost = onLost;
    this.#timer = setInterval(() => this.#beatInBackground(), options.leaseMs / BEATS_PER_LEASE);
    this.#timer.unref();
  }

  /**
   * Becomes the owner. Waits until the present owner released the store or was silent for a lease; an owner
   * that gives a sign of life is waited for, or (`refuse`) makes this reject with LevelError `fenced`.
   * @param onLost told once another process is seen to own the store.
   */
  static async acquire(
    layout: Layout,
    options: LeaseOptions,
    onLost: (err: Error) => void,
  ): Promise<{ lease: Lease; inheritance: Inheritance }> {
    const owner: Owner = { id: randomUUID(), host: hostname(), pid: process.pid };
    const watch = new Watch();
    let awaySince: number | undefined;
    for (;;) {
      options.signal.throwIfAborted();
      const sentAt = performance.now();
      try {
        const claimed = await tryToClaim(layout, owner, options, watch);
        awaySince = undefined;
        if (claimed !== undefined) {
          const { generation, ...inheritance } = claimed;
          return {
            lease: new Lease(layout, { id: owner.id, generation, sentAt }, options, onLost),
            inheritance,
          };
        }
      } catch (err) {
        if (!isTransient(err)) throw err;
        watch.restart();
        awaySince ??= sentAt;
        const standsBy = options.inUse === 'wait' && watch.sawOwner;
        if (!standsBy && performance.now() - awaySince >= options.timeoutMs) throw toLevelError(err);
      }
      await sleep(
        Math.min((watch.leaseMs ?? options.leaseMs) / LOOKS_PER_LEASE, LONGEST_PAUSE_MS),
        options.signal,
      );
    }
  }

  /** The last generation that this owner claimed. */
  get generation(): number {
    return this.#generation;
  }

  /**
   * True while nobody who runs a clock of the same speed can have taken over. What this process remembers is
   * the truth then, without asking the server.
   */
  get isFresh(): boolean {
    return performance.now() - this.#renewedAt < this.#leaseMs;
  }

  /**
   * Writes a sign of life: a majority of the servers took it when this resolves. Calls at a time share one.
   * Rejects with LevelError `fenced` when another process owns the store.
   */
  beat(): Promise<void> {
    this.#beating ??= this.#sendBeat().finally(() => {
      this.#beating = undefined;
    });
    return this.#beating;
  }

  /** Claims the next generation. Rejects with LevelError `fenced` when another process owns the store. */
  async claimGeneration(): Promise<number> {
    const { state } = this.#layout;
    const next = this.#generation + 1;
    const filter = { _id: STATE_ID, 'owner.id': this.id, generation: this.#generation } as const;
    const { matchedCount } = await state.updateOne(filter, { $set: { generation: next }, $inc: { beat: 1 } });
    if (matchedCount === 0 && !(await this.#hasClaimed(next))) throw this.#lost();
    this.#generation = next;
    return next;
  }

  /** Notes that the data is in `generation` now: earlier ones are not looked at any more. */
  async recordData(generation: number): Promise<void> {
    const filter = { _id: STATE_ID, 'owner.id': this.id } as const;
    const { matchedCount } = await this.#layout.state.updateOne(filter, {
      $max: { data: generation },
      $inc: { beat: 1 },
    });
    if (matchedCount === 0) throw this.#lost();
  }

  /**
   * Gives the store up, for others to take at once.
   * @param next the next journal number, when no write to the journal is or can get under way any more.
   */
  async release(next: number | undefined): Promise<void> {
    this.stop();
    const filter = { _id: STATE_ID, 'owner.id': this.id } as const;
    await this.#layout.state.updateOne(filter, {
      $set: { released: true, ...(next === undefined ? {} : { next }) },
    });
  }

  /** Ends the signs of life. */
  stop(): void {
    clearInterval(this.#timer);
    this.#timer = undefined;
  }

  /** An answer may have been lost: this owner's earlier try has then claimed it. */
  async #hasClaimed(generation: number): Promise<boolean> {
    const filter = { _id: STATE_ID, 'owner.id': this.id, generation } as const;
    const { matchedCount } = await this.#layout.state.updateOne(filter, { $inc: { beat: 1 } });
    return matchedCount === 1;
  }

  async #sendBeat(): Promise<void> {
    const sentAt = performance.now();
    const filter = { _id: STATE_ID, 'owner.id': this.id } as const;
    const { matchedCount } = await this.#layout.state.updateOne(filter, { $inc: { beat: 1 } });
    if (matchedCount === 0) throw this.#lost();
    this.#renewedAt = Math.max(this.#renewedAt, sentAt);
  }

  #beatInBackground(): void {
    this.beat().catch((err: unknown) => {
      this.#log.warn({ err, store: this.#layout.place }, 'the lease could not be renewed');
    });
  }

  #lost(): Error {
    this.stop();
    const err = fenced(`another process has taken over the store ${this.#layout.place}: this one must end`);
    this.#onLost(err);
    return err;
  }
}

/** How long the same beat has been seen. */
class Watch {
  #state: StateDocument | undefined;
  #since = 0;
  #sawLife = false;

  get sawOwner(): boolean {
    return this.#state !== undefined;
  }

  /** True when the owner gave a sign of life while it was watched. */
  get sawLife(): boolean {
    return this.#sawLife;
  }

  get leaseMs(): number | undefined {
    return this.#state?.leaseMs;
  }

  /** Notes a look; returns for how many milliseconds nothing has changed. */
  look(state: StateDocument): number {
    const last = this.#state;
    if (
      last?.owner.id !== state.owner.id ||
      last.generation !== state.generation ||
      last.beat !== state.beat
    ) {
      this.#sawLife = last !== undefined;
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

interface Claimed extends Inheritance {
  readonly generation: number;
}

/** One look at the state, and a claim if it may be taken. `undefined` when not, or when somebody was faster. */
async function tryToClaim(
  layout: Layout,
  owner: Owner,
  options: LeaseOptions,
  watch: Watch,
): Promise<Claimed | undefined> {
  const state = await layout.state.findOne({ _id: STATE_ID }, { readPreference: 'primary' });
  if (state === null) return create(layout, owner, options);
  if (state.format !== FORMAT) {
    throw corrupt(`${layout.place} has format ${state.format}: this version reads and writes ${FORMAT}`);
  }
  if (options.errorIfExists && state.data > 0) throw new Error(`the store ${layout.place} exists already`);
  if (state.owner.id === owner.id) return claimedEarlier(layout, state);
  const silentMs = watch.look(state);
  if (state.released || options.formerIds.has(state.owner.id) || silentMs >= state.leaseMs) {
    return claim(layout, state, owner, options);
  }
  if (watch.sawLife && options.inUse === 'refuse') throw inUse(layout, state);
  return undefined;
}

/** Makes the first state document; `undefined` when somebody else was first. */
async function create(layout: Layout, owner: Owner, options: LeaseOptions): Promise<Claimed | undefined> {
  if (!options.createIfMissing) throw new Error(`the store ${layout.place} does not exist`);
  if (await layout.hasCollections()) {
    throw corrupt(
      `the document "${STATE_ID}" of ${layout.state.namespace} is missing, yet other collections of this store are there: restore all of them together`,
    );
  }
  const store = randomUUID();
  const first = { format: FORMAT, store, owner, generation: 1, data: 0, beat: 1, leaseMs: options.leaseMs };
  try {
    await layout.state.insertOne({ _id: STATE_ID, ...first, released: false });
  } catch (err) {
    if (isDuplicateKey(err)) return undefined;
    throw err;
  }
  return { generation: 1, store, data: 0, next: undefined };
}

/** Takes the store over, unless its state has changed since `state` was read. */
async function claim(
  layout: Layout,
  state: StateDocument,
  owner: Owner,
  { leaseMs, log }: LeaseOptions,
): Promise<Claimed | undefined> {
  const { owner: former, beat, store, data } = state;
  const generation = state.generation + 1;
  const filter = { _id: STATE_ID, 'owner.id': former.id, generation: state.generation, beat } as const;
  const { matchedCount } = await layout.state.updateOne(filter, {
    $set: { owner, generation, leaseMs, released: false },
    $inc: { beat: 1 },
    $unset: { next: '' },
  });
  if (matchedCount === 0) return undefined;
  log.info({ store: layout.place, former, generation }, 'took the store over');
  return { generation, store, data, next: state.released ? state.next : undefined };
}

/** The answer to an earlier claim was lost, and with it whether the former owner had left nothing under way. */
async function claimedEarlier(
  layout: Layout,
  { owner, generation, store, data }: StateDocument,
): Promise<Claimed | undefined> {
  const filter = { _id: STATE_ID, 'owner.id': owner.id, generation } as const;
  const { matchedCount } = await layout.state.updateOne(filter, { $inc: { beat: 1 } });
  return matchedCount === 1 ? { generation, store, data, next: undefined } : undefined;
}

function inUse(layout: Layout, { owner }: StateDocument): Error {
  return fenced(
    `the store ${layout.place} is in use by process ${owner.pid} on ${owner.host}: ` +
      `stop it, or set MONGODB_IN_USE=wait to stand by for it`,
  );
}
