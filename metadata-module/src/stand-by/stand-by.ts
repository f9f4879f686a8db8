/**
 * A module over a store that several share: it stands by, owns the store, and stands by again when it has lost
 * it to another process. Who owns it, and why no two do, is told beside the LevelDOWN.
 */
import type http from 'node:http';
import { sleep, withDeadline } from '@zenko-modules/common/deadline';
import { messageOf } from '@zenko-modules/common/errors';
import type { Logger } from '@zenko-modules/common/logger';
import type { ServerPorts } from '@zenko-modules/common/network/server-ports';
import { type LevelDown, LEVEL_ERRORS, LevelError, type StoreOwner } from '../leveldowns/plugin.js';
import type { Serving } from '../serving.js';
import { levelErrorCode, rootOf } from '../store/level-errors.js';
import { parseAddress } from './address.js';
import type { Doors } from './doors.js';
import { answers } from './owner-answers.js';

export interface StandByOptions {
  readonly level: LevelDown;
  /** Where others reach the doors, see `addressText`. */
  readonly address: string;
  readonly doors: Doors;
  readonly log: Logger;
  /** Opens the store, waiting for it, and serves it. Rejects with the LevelDOWN's own error, or one laid around it. */
  readonly serve: (options: {
    readonly openPorts: (server: http.Server) => ServerPorts;
    readonly onLost: (err: Error) => void;
  }) => Promise<Serving>;
  /** Told when the module can go on neither as the owner nor as a stand-by. */
  readonly onFailed: (err: unknown) => void;
}

/** For what is under way in a store that is another's: it fails by itself, and its clients have been cut. */
const STEP_DOWN_MS = 3000;
/** After a store that could not be taken over. */
const PAUSE_MS = 200;

/** The time in which this process owns the store. */
interface Term {
  readonly serving: Serving;
  /** Resolves when another process has taken the store. */
  readonly lost: Promise<Error>;
}

export class StandBy {
  readonly #options: StandByOptions;
  readonly #stopping = new AbortController();
  readonly #stopped: Promise<undefined>;
  readonly #waits: Promise<void>;
  #tellWaiting: () => void = () => undefined;
  #hasStarted = false;
  #ended: Promise<void> | undefined;
  #graceMs = STEP_DOWN_MS;
  #serving: Serving | undefined;
  #onFenced: ((err: Error) => void) | undefined;
  /** The owner that this process waits for. */
  #owner: StoreOwner | undefined;
  /** Why it cannot be told who owns the store. */
  #away: Error | undefined;

  private constructor(options: StandByOptions) {
    this.#options = options;
    this.#waits = new Promise(resolve => {
      this.#tellWaiting = resolve;
    });
    this.#stopped = new Promise(resolve => {
      this.#stopping.signal.addEventListener('abort', () => resolve(undefined), { once: true });
    });
    options.level.watchOwner?.(options.address, {
      owned: owner => this.#owned(owner),
      away: err => this.#cannotTell(err),
      silent: () => this.#silent(),
      lost: err => this.#onFenced?.(err),
    });
  }

  /** Resolves when it owns the store, or waits for it. Rejects with the LevelDOWN's error when that fails at once. */
  static async start(options: StandByOptions): Promise<StandBy> {
    const standBy = new StandBy(options);
    const ended = standBy.#run();
    standBy.#ended = ended;
    try {
      await Promise.race([standBy.#waits, ended]);
    } catch (err) {
      options.doors.shut();
      throw err;
    }
    standBy.#hasStarted = true;
    ended.catch(options.onFailed);
    return standBy;
  }

  /** By setting name. */
  get ports(): Readonly<Record<string, number>> {
    return this.#options.doors.ports;
  }

  /** The store, while this process owns it. */
  get serving(): Serving | undefined {
    return this.#serving;
  }

  /** What the module is now, for who asks whether it is ready. */
  details(): Readonly<Record<string, string>> {
    if (this.#serving !== undefined) return { role: 'owner' };
    const owner = this.#owner?.address;
    return { role: 'stand-by', ...(owner !== undefined && { owner }) };
  }

  /** Resolves when a write can be taken, or passed on to the owner; rejects with the reason. */
  async ready(): Promise<void> {
    if (this.#serving !== undefined) {
      await this.#serving.ready();
      return;
    }
    if (this.#away !== undefined) throw this.#away;
    if (this.#owner?.address === undefined) throw new Error('the owner of the store is not known yet');
    await answers(parseAddress(this.#owner.address), this.#stopping.signal);
  }

  /** Gives the store up, for others to take at once, or ends the waiting for it. */
  async close(graceMs: number): Promise<void> {
    const { level, doors } = this.#options;
    this.#graceMs = graceMs;
    doors.shut();
    this.#stopping.abort(new Error('the module is stopping'));
    level.abortOpen?.();
    try {
      await withDeadline(
        this.#ended?.catch(() => undefined) ?? Promise.resolve(),
        graceMs,
        'closing the store',
      );
    } finally {
      doors.hold();
      doors.cut();
    }
  }

  async #run(): Promise<void> {
    while (!this.#stopping.signal.aborted) {
      const term = await this.#begin();
      if (term !== undefined) await this.#own(term);
    }
  }

  /** `undefined` when the store could not be taken, for a reason that passes. */
  async #begin(): Promise<Term | undefined> {
    const { doors, log, serve, onFailed } = this.#options;
    const { signal } = this.#stopping;
    try {
      let onFenced: (err: Error) => void = () => undefined;
      const lost = new Promise<Error>(resolve => {
        onFenced = resolve;
      });
      this.#onFenced = onFenced;
      const onLost = (err: Error): void =>
        levelErrorCode(err) === LEVEL_ERRORS.fenced ? onFenced(err) : onFailed(err);
      const serving = await serve({ openPorts: server => doors.serve(server), onLost });
      return { serving, lost };
    } catch (err) {
      if (signal.aborted) return undefined;
      const code = levelErrorCode(rootOf(err));
      const passes = code === LEVEL_ERRORS.fenced || (this.#hasStarted && code === LEVEL_ERRORS.unavailable);
      if (!passes) throw err;
      log.warn({ err }, 'the store could not be taken over');
      await sleep(PAUSE_MS, signal);
      return undefined;
    }
  }

  async #own({ serving, lost }: Term): Promise<void> {
    const { doors, log } = this.#options;
    this.#serving = serving;
    this.#owner = undefined;
    this.#away = undefined;
    this.#tellWaiting();
    const err = await Promise.race([lost, this.#stopped]);
    if (err === undefined) {
      await serving.close(this.#graceMs);
      return;
    }
    this.#serving = undefined;
    log.warn({ reason: messageOf(err) }, 'the store is lost to another process: standing by');
    doors.hold();
    doors.cut();
    if (!(await serving.close(STEP_DOWN_MS, { isLost: true })))
      throw new Error('the store that was lost could not be closed');
  }

  #owned({ id, address }: StoreOwner): void {
    const { doors, log, address: own } = this.#options;
    if (this.#serving !== undefined) {
      // It had to open the store again, and another process was faster.
      this.#onFenced?.(new LevelError(LEVEL_ERRORS.fenced, 'another process has taken the store'));
      return;
    }
    // What stands there under the own address is what this process was before it was started anew.
    const reached = address === own ? undefined : address;
    if (this.#owner?.id !== id) log.info({ owner: id, address }, 'standing by for the owner of the store');
    this.#owner = { id, address: reached };
    this.#away = undefined;
    if (reached === undefined) doors.hold();
    else doors.passTo({ id, address: reached });
    this.#tellWaiting();
  }

  /** What is passed on goes on: the owner may well be alive. */
  #cannotTell(err: Error): void {
    this.#away = err;
    this.#tellWaiting();
  }

  /** Others may have taken over: clients must look for them, and what they ask of this process is refused. */
  #silent(): void {
    this.#options.log.warn('this owner could not give a sign of life for too long: its clients are cut');
    this.#options.doors.cut();
  }
}
