/** Commands that bring committed operations into the data, one at a time: README.md, "Applying". */
import type { Logger } from '@zenko-modules/common/logger';
import type { Document } from 'mongodb';
import { LOWER_MARKER, UPPER_MARKER, type Layout } from './documents.js';
import { encodedBytes, type JournalOperation } from './journal-entry.js';
import { Backoff } from './retry.js';
import { runWrite } from './write-command.js';

export interface DataWriterOptions {
  readonly layout: Layout;
  readonly epoch: number;
  readonly store: string;
  /** The last turn that was taken. */
  readonly turn: number;
  /** Notes, on a majority's disks, that the puts of a turn may come late. Rejects when the store is another's. */
  readonly noteLate: (turn: number) => Promise<void>;
  readonly signal: AbortSignal;
  /** The markers are not this owner's, or not there. Called again until that is explained. */
  readonly onLost: () => void;
  readonly log: Logger;
}

/** The markers of this owner's epoch were not found. */
class MarkersLost extends Error {}

export class DataWriter {
  readonly #options: DataWriterOptions;
  #turn: number;

  constructor(options: DataWriterOptions) {
    this.#options = options;
    this.#turn = options.turn;
  }

  /** The last turn that was taken. */
  get turn(): number {
    return this.#turn;
  }

  /**
   * Writes the last operation on each key, and moves the markers to `applied` if it is given. Resolves with true
   * when a majority has all of it, with false once `signal` is aborted.
   */
  async write(operations: readonly JournalOperation[], applied?: number): Promise<boolean> {
    const { signal, log, noteLate, onLost } = this.#options;
    const last = lastOf(operations);
    const backoff = new Backoff();
    const isStopped = (): boolean => signal.aborted;
    let isInDoubt = false;
    while (!isStopped()) {
      try {
        if (isInDoubt) await noteLate(this.#turn);
        this.#turn += 1;
        isInDoubt = true;
        await this.#send(last, applied);
        return true;
      } catch (err) {
        if (isStopped()) return false;
        log.warn({ err }, 'entries of the journal are applied again');
        if (err instanceof MarkersLost) onLost();
      }
      await backoff.wait(signal);
    }
    return false;
  }

  async #send(operations: readonly JournalOperation[], applied: number | undefined): Promise<void> {
    const { db, data } = this.#options.layout;
    const { deletes, updates } = statementsOf(operations, applied, { ...this.#options, turn: this.#turn });
    if (deletes.length > 0) await runWrite(db, data, { delete: data.collectionName, deletes });
    const { n } = await runWrite(db, data, { update: data.collectionName, updates });
    if (n !== updates.length) throw new MarkersLost('the markers are not found');
  }
}

export interface Statements {
  /** First these, of which any number may find a document. */
  readonly deletes: { readonly q: Document; readonly limit: 1 }[];
  /** Then these, in order until one fails. Each finds a document or makes one. */
  readonly updates: { readonly q: Document; readonly u: Document; readonly upsert: boolean }[];
}

/** The statements of a turn, for at most one operation on each key. */
export function statementsOf(
  operations: readonly JournalOperation[],
  applied: number | undefined,
  { epoch, store, turn }: { readonly epoch: number; readonly store: string; readonly turn: number },
): Statements {
  const deletes: Statements['deletes'] = [];
  const updates: Statements['updates'] = [];
  for (const operation of operations) {
    const q = { _id: operation.key, n: { $lt: turn } };
    if (operation.type === 'del') deletes.push({ q, limit: 1 });
    else updates.push({ q, u: { $set: { n: turn, v: operation.value } }, upsert: true });
  }
  // After all puts: the markers are never ahead of the data. The lower one, which is trusted at a take-over, last.
  const moved = applied === undefined ? {} : { applied };
  for (const _id of applied === undefined ? [LOWER_MARKER] : [UPPER_MARKER, LOWER_MARKER]) {
    const q = { _id, epoch, store, turn: { $lt: turn } };
    updates.push({ q, u: { $set: { ...moved, turn } }, upsert: false });
  }
  return { deletes, updates };
}

/** The last operation on each key. */
export function lastOf(operations: readonly JournalOperation[]): JournalOperation[] {
  return [...new Map(operations.map(operation => [operation.key, operation])).values()];
}

/**
 * Operations in portions that can be done one after the other, in any order: each has all the operations on its
 * keys, up to `keys` of them, or fewer when they have more than `bytes`.
 */
export function portionsOf(
  operations: readonly JournalOperation[],
  limit: { readonly keys: number; readonly bytes: number },
): JournalOperation[][] {
  const portions: JournalOperation[][] = [];
  const portionOfKey = new Map<string, JournalOperation[]>();
  let keys = 0;
  let bytes = 0;
  for (const operation of operations) {
    const size = encodedBytes(operation);
    let portion = portionOfKey.get(operation.key);
    if (portion === undefined) {
      portion = portions.at(-1);
      if (portion === undefined || keys >= limit.keys || bytes + size > limit.bytes) {
        portion = [];
        portions.push(portion);
        keys = 0;
        bytes = 0;
      }
      portionOfKey.set(operation.key, portion);
      keys += 1;
      bytes += size;
    }
    portion.push(operation);
  }
  return portions;
}
