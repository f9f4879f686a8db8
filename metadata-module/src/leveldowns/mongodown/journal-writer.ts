/**
 * Writes batches to the journal: numbers them, sends several numbers at a time, and commits in the order of
 * the numbers.
 *
 * - Batches that come at a time share one document; one that is too large for a document takes several, and
 *   commits with the last.
 * - What became of an insert whose answer was lost is found out from the document under its number: it is
 *   there, and this writer's, or the insert is made again. A number is never left open. An insert that is not
 *   answered at all is made again on another connection, since everything after it waits for it. One that
 *   arrives even later, when the batch is applied and removed, leaves a document that nobody reads.
 * - A batch whose time is up fails, and then does not happen: its number is given up (`void`) before anything
 *   after it commits. Only if this process ends, or loses the store, before it could do that, a successor may
 *   find the batch in the journal, and keeps it.
 */
import type { Logger } from '@zenko-modules/common/logger';
import { fenced, isDuplicateKey, isFenced, isTransient, toLevelError, unavailable } from './errors.js';
import { PART_BYTES, WINDOW, type Journal } from './journal.js';
import { decodeOperations, encodeOperations, type Operation } from './operations.js';
import type { Entry } from './recovery.js';
import { Backoff, hedged } from './retry.js';

/** Batches are put together up to this size. */
const GROUP_BYTES = 1024 * 1024;
/** What may wait for its turn; more is refused. */
const MAX_WAITING_BYTES = 256 * 1024 * 1024;

export interface JournalWriterOptions {
  readonly journal: Journal;
  /** The number of the first batch. */
  readonly next: number;
  readonly timeoutMs: number;
  readonly log: Logger;
  /** True while what is committed but not applied leaves room for more. Call `resume` when it turns true. */
  readonly hasRoom: () => boolean;
  /** A batch, or several together, is committed. Must make it visible before it returns. */
  readonly onCommit: (entry: Entry) => void;
  /** Nothing more can be written: another process owns the store, or a failure that does not pass. */
  readonly onFailure: (err: Error) => void;
}

interface Batch {
  readonly payload: Buffer;
  readonly resolve: () => void;
  readonly reject: (err: Error) => void;
  timer?: NodeJS.Timeout;
}

/** Batches that share one entry of the journal. */
interface Group {
  readonly batches: readonly Batch[];
  readonly payload: Buffer;
  readonly first: number;
  readonly parts: number;
  /** Why its callers were told that it failed. */
  failure?: Error;
}

type Outcome = 'stored' | 'void';

/** A number that is under way. */
interface Slot {
  readonly number: number;
  readonly group: Group;
  outcome?: Outcome;
}

export class JournalWriter {
  readonly #options: JournalWriterOptions;
  readonly #abort = new AbortController();
  #waiting: Batch[] = [];
  #waitingBytes = 0;
  #slots: Slot[] = [];
  /** A group whose parts are not all under way yet. */
  #sending: Group | undefined;
  #next: number;
  #scheduled = false;
  #failure: Error | undefined;
  #onIdle: (() => void)[] = [];

  constructor(options: JournalWriterOptions) {
    this.#options = options;
    this.#next = options.next;
  }

  /** The next number. */
  get next(): number {
    return this.#next;
  }

  /** True when no number is under way and no batch waits. */
  get isIdle(): boolean {
    return this.#slots.length === 0 && this.#waiting.length === 0 && this.#sending === undefined;
  }

  /**
   * Resolves when the batch is on a majority's disks and visible. Rejects with LevelError `unavailable` when
   * that took too long, `tooLarge` before anything was written, `fenced` when another process owns the store.
   */
  async write(operations: readonly Operation[]): Promise<void> {
    if (this.#failure !== undefined) throw this.#failure;
    const payload = encodeOperations(operations);
    if (this.#waitingBytes + payload.length > MAX_WAITING_BYTES) {
      throw unavailable(`more than ${MAX_WAITING_BYTES} bytes wait to be written`);
    }
    await new Promise<void>((resolve, reject) => {
      const batch: Batch = { payload, resolve, reject };
      const { timeoutMs } = this.#options;
      batch.timer = setTimeout(() => this.#giveUp(batch), timeoutMs);
      this.#waiting.push(batch);
      this.#waitingBytes += payload.length;
      this.#schedule();
    });
  }

  /** Goes on after there was no room. */
  resume(): void {
    this.#send();
  }

  /** Resolves when nothing is under way. */
  async idle(): Promise<void> {
    if (this.isIdle || this.#failure !== undefined) return;
    await new Promise<void>(resolve => this.#onIdle.push(resolve));
  }

  /** Stops at once; what is under way fails with `err`. */
  stop(err: Error): void {
    if (this.#failure !== undefined) return;
    this.#failure = err;
    this.#abort.abort();
    for (const batch of this.#waiting) rejectBatch(batch, err);
    for (const { group } of this.#slots) failGroup(group, err);
    if (this.#sending !== undefined) failGroup(this.#sending, err);
    this.#waiting = [];
    this.#waitingBytes = 0;
    this.#slots = [];
    this.#sending = undefined;
    this.#tellIdle();
  }

  /** What comes in the same turn of the event loop goes together. */
  #schedule(): void {
    if (this.#scheduled) return;
    this.#scheduled = true;
    setImmediate(() => {
      this.#scheduled = false;
      this.#send();
    });
  }

  #send(): void {
    while (this.#failure === undefined && this.#slots.length < WINDOW) {
      this.#sending ??= this.#nextGroup();
      if (this.#sending === undefined) return;
      const group = this.#sending;
      const number = this.#next;
      if (group.failure === undefined) {
        this.#next += 1;
        const slot: Slot = { number, group };
        this.#slots.push(slot);
        void this.#settle(slot);
      }
      if (group.failure !== undefined || number === lastNumber(group)) this.#sending = undefined;
    }
  }

  #nextGroup(): Group | undefined {
    if (this.#waiting.length === 0 || !this.#options.hasRoom()) return undefined;
    let count = 0;
    let bytes = 0;
    for (const { payload } of this.#waiting) {
      if (count > 0 && bytes + payload.length > GROUP_BYTES) break;
      count += 1;
      bytes += payload.length;
    }
    const batches = this.#waiting.splice(0, count);
    this.#waitingBytes -= bytes;
    const payload = Buffer.concat(batches.map(batch => batch.payload));
    const parts = Math.max(1, Math.ceil(payload.length / PART_BYTES));
    return { batches, payload, first: this.#next, parts };
  }

  /** Runs until it is certain what stands under the slot's number, then commits what can be committed. */
  async #settle(slot: Slot): Promise<void> {
    try {
      const outcome = await this.#store(slot);
      if (this.#failure !== undefined) return;
      slot.outcome = outcome;
      this.#commit();
      this.#send();
    } catch (err) {
      if (this.#failure !== undefined) return;
      const failure = toLevelError(err);
      this.stop(failure);
      this.#options.onFailure(failure);
    }
  }

  async #store(slot: Slot): Promise<Outcome> {
    const { timeoutMs } = this.#options;
    const backoff = new Backoff();
    for (;;) {
      this.#abort.signal.throwIfAborted();
      try {
        const outcome = await hedged(timeoutMs / 2, this.#abort.signal, () => this.#insert(slot));
        if (outcome !== undefined) return outcome;
      } catch (err) {
        if (isFenced(err)) throw err;
        this.#options.log.warn({ err, number: slot.number }, 'a write to the journal is tried again');
        // Nothing says that this passes: the callers need not wait for their time to be up.
        if (!isTransient(err)) failGroup(slot.group, toLevelError(err));
      }
      await backoff.wait(this.#abort.signal);
    }
  }

  /** One try, perhaps beside others of the same slot. `undefined` when what stands under the number vanished meanwhile. */
  async #insert(slot: Slot): Promise<Outcome | undefined> {
    const { number, group } = slot;
    const { journal } = this.#options;
    const outcome = group.failure === undefined ? 'stored' : 'void';
    try {
      if (outcome === 'void') await journal.insertVoid(number);
      else await journal.insertPart(number, { first: group.first, parts: group.parts, ops: partOf(slot) });
      return outcome;
    } catch (err) {
      if (isDuplicateKey(err)) return this.#identify(slot);
      throw err;
    }
  }

  /** The number is taken: by an earlier try of this writer, or by a successor. */
  async #identify({ number, group }: Slot): Promise<Outcome | undefined> {
    const { journal } = this.#options;
    const found = await journal.look(number);
    if (found === undefined) return undefined;
    if (found.by === journal.writer) {
      const outcome = found.kind === 'void' || group.failure !== undefined ? 'void' : 'stored';
      if (outcome === 'void' ? await journal.void(number) : await journal.confirm(number)) return outcome;
    }
    throw fenced(`number ${number} of the journal is taken: another process owns the store now`);
  }

  #commit(): void {
    for (let slot = this.#slots[0]; slot?.outcome !== undefined; slot = this.#slots[0]) {
      const { group, number } = slot;
      if (slot.outcome === 'stored' && group.failure !== undefined) {
        // Its callers were told that it failed: with that set, storing it again voids it.
        delete slot.outcome;
        void this.#settle(slot);
        return;
      }
      this.#slots.shift();
      if (group.failure !== undefined) {
        this.#options.onCommit({ number, operations: [], bytes: 0, inDoubt: false });
      } else if (number === lastNumber(group)) {
        const operations = decodeOperations(group.payload, `journal entry ${number}`);
        this.#options.onCommit({ number, operations, bytes: group.payload.length, inDoubt: false });
        for (const batch of group.batches) resolveBatch(batch);
      } else {
        for (const batch of group.batches) batch.timer?.refresh();
      }
    }
    if (this.isIdle) this.#tellIdle();
  }

  /** A batch's time is up. */
  #giveUp(batch: Batch): void {
    const err = unavailable(
      `MongoDB did not take a batch within ${this.#options.timeoutMs} ms; it will not happen`,
    );
    const at = this.#waiting.indexOf(batch);
    if (at >= 0) {
      this.#waiting.splice(at, 1);
      this.#waitingBytes -= batch.payload.length;
      rejectBatch(batch, err);
      if (this.isIdle) this.#tellIdle();
      return;
    }
    const groups = [...this.#slots.map(({ group }) => group), this.#sending];
    const group = groups.find(candidate => candidate?.batches.includes(batch));
    if (group !== undefined) failGroup(group, err);
  }

  #tellIdle(): void {
    for (const resolve of this.#onIdle.splice(0)) resolve();
  }
}

function lastNumber({ first, parts }: Group): number {
  return first + parts - 1;
}

function partOf({ number, group }: Slot): Buffer {
  const at = (number - group.first) * PART_BYTES;
  return group.payload.subarray(at, at + PART_BYTES);
}

function failGroup(group: Group, err: Error): void {
  if (group.failure !== undefined) return;
  group.failure = err;
  for (const batch of group.batches) rejectBatch(batch, err);
}

function resolveBatch({ timer, resolve }: Batch): void {
  clearTimeout(timer);
  resolve();
}

function rejectBatch({ timer, reject }: Batch, err: Error): void {
  clearTimeout(timer);
  reject(err);
}
