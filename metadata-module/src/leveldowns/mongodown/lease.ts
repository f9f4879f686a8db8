/** Signs of life of the owner: README.md, "The lease". */
import type { Logger } from '@zenko-modules/common/logger';
import type { OwnerWatcher } from '../plugin.js';
import { fenced, unavailable } from './errors.js';
import { FORMAT, STATE_ID, type Layout } from './documents.js';
import { hedged } from './retry.js';

const BEATS_PER_LEASE = 4;

/** What an owner has when its claim has succeeded. */
export interface LeaseStart {
  readonly id: string;
  readonly epoch: number;
  /** When the claim was sent, by the monotonic clock. */
  readonly sentAt: number;
  readonly leaseMs: number;
}

export class Lease {
  /** The owner's id, unique for every open. */
  readonly id: string;
  readonly epoch: number;
  readonly #layout: Layout;
  readonly #leaseMs: number;
  readonly #timeoutMs: number;
  readonly #log: Logger;
  readonly #onLost: (err: Error) => void;
  readonly #onSilent: (() => void) | undefined;
  readonly #stopped = new AbortController();
  /** When the last beat that arrived was sent. */
  #renewedAt: number;
  #beating: Promise<void> | undefined;
  #timer: NodeJS.Timeout | undefined;
  #toldSilent = false;

  /** @param onLost told once another process is seen to own the store */
  constructor(
    layout: Layout,
    { id, epoch, sentAt, leaseMs }: LeaseStart,
    {
      timeoutMs,
      log,
      watcher,
    }: { readonly timeoutMs: number; readonly log: Logger; readonly watcher?: OwnerWatcher | undefined },
    onLost: (err: Error) => void,
  ) {
    this.id = id;
    this.epoch = epoch;
    this.#layout = layout;
    this.#renewedAt = sentAt;
    this.#leaseMs = leaseMs;
    this.#timeoutMs = timeoutMs;
    this.#log = log;
    this.#onLost = onLost;
    this.#onSilent = watcher && (() => watcher.silent());
    this.#timer = setInterval(() => this.#beatInBackground(), leaseMs / BEATS_PER_LEASE);
    this.#timer.unref();
  }

  /**
   * True while nobody whose clock runs at the same speed can have taken over. What this process remembers is
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
    // A beat without an answer must not cost the lease when the next one would be answered.
    const patience = Math.min(this.#timeoutMs / 2, this.#leaseMs / BEATS_PER_LEASE);
    this.#beating ??= hedged(patience, this.#stopped.signal, () => this.#sendBeat()).finally(() => {
      this.#beating = undefined;
    });
    return this.#beating;
  }

  /**
   * Resolves once a sign of life was answered before the lease that it renews was over: with a later answer another
   * process may own the store already. Rejects as `beat` does, and with LevelError `unavailable` after the timeout.
   */
  async prove(): Promise<void> {
    const until = performance.now() + this.#timeoutMs;
    do {
      await this.beat();
      if (this.isFresh) return;
    } while (performance.now() < until);
    throw unavailable('MongoDB answers signs of life later than the lease lasts');
  }

  /** Notes that markers and slots have been made, in this version's format: from now on none may be missing. */
  async recordCreated(): Promise<void> {
    await this.#update({ $set: { created: true, format: FORMAT }, $unset: { next: '' }, $inc: { beat: 1 } });
  }

  /** Notes turns whose puts may come late: a majority has the note when this resolves. */
  async noteLate({ first, last }: { readonly first: number; readonly last: number }): Promise<void> {
    // A note that comes late itself takes nothing back.
    await this.#update({ $max: { [`late.${first}`]: last }, $inc: { beat: 1 } });
  }

  /**
   * Gives the store up, for others to take at once.
   * @param settled true when every command has been answered, and none can get under way any more
   */
  async release(settled: boolean): Promise<void> {
    this.stop();
    await this.#update({ $set: { released: true, ...(settled && { settled }) } });
  }

  /** Ends the signs of life. */
  stop(): void {
    this.#stopped.abort();
    clearInterval(this.#timer);
    this.#timer = undefined;
  }

  async #sendBeat(): Promise<void> {
    const sentAt = performance.now();
    await this.#update({ $inc: { beat: 1 } });
    this.#renewedAt = Math.max(this.#renewedAt, sentAt);
    this.#toldSilent = false;
  }

  async #update(change: Parameters<Layout['state']['updateOne']>[1]): Promise<void> {
    const { state, place } = this.#layout;
    const { matchedCount } = await state.updateOne({ _id: STATE_ID, 'owner.id': this.id }, change);
    if (matchedCount === 1) return;
    this.stop();
    const err = fenced(`another process has taken over the store ${place}: this one must end`);
    this.#onLost(err);
    throw err;
  }

  #beatInBackground(): void {
    if (!this.isFresh && !this.#toldSilent) {
      this.#toldSilent = true;
      this.#onSilent?.();
    }
    this.beat().catch((err: unknown) => {
      this.#log.warn({ err, store: this.#layout.place }, 'the lease could not be renewed');
    });
  }
}
