/** Brings committed entries into the data, in order, behind the backs of the callers: README.md, "Applying". */
import type { DataWriter } from './data-writer.js';
import { portionsOf } from './data-writer.js';
import { encodedBytes, type JournalEntry } from './journal-entry.js';

/** Operations and bytes of one command, and of one bulk unless a single entry has more. */
const PORTION = { keys: 500, bytes: 4 * 1024 * 1024 } as const;
/**
 * How long entries wait for others to share a bulk. Nobody waits for them, the fewer bulks leave the server more
 * room for what somebody waits for, and of keys that are written again and again only the last value is sent.
 */
const GATHER_MS = 20;
/** What may be committed and not applied yet. */
const BACKLOG_OPERATIONS = 20_000;
const BACKLOG_BYTES = 64 * 1024 * 1024;

export interface ApplierOptions {
  readonly writer: DataWriter;
  /** Every entry up to this number is applied. */
  readonly onApplied: (number: number) => void;
  /** `hasRoom` may have turned true. */
  readonly onRoom: () => void;
  readonly signal: AbortSignal;
}

export class Applier {
  readonly #options: ApplierOptions;
  #backlog: JournalEntry[] = [];
  #operations = 0;
  #bytes = 0;
  /** Of these, what is in the data already, though the markers do not say so yet. */
  #writtenOperations = 0;
  #writtenBytes = 0;
  #running: Promise<void> | undefined;
  /** Ends the wait for more entries. */
  #gathered: (() => void) | undefined;
  #hurried = false;

  constructor(options: ApplierOptions) {
    this.#options = options;
    options.signal.addEventListener('abort', () => this.#gathered?.(), { once: true });
  }

  get hasRoom(): boolean {
    return (
      this.#operations - this.#writtenOperations < BACKLOG_OPERATIONS &&
      this.#bytes - this.#writtenBytes < BACKLOG_BYTES
    );
  }

  add(entry: JournalEntry): void {
    this.#backlog.push(entry);
    this.#operations += entry.operations.length;
    this.#bytes += entry.bytes;
    if (this.#isBulk) this.#gathered?.();
    this.#running ??= this.#run();
  }

  /** Resolves when all is applied, or after the abort. Nothing waits for company from now on. */
  async idle(): Promise<void> {
    this.#hurried = true;
    this.#gathered?.();
    await this.#running;
  }

  /** True when there is enough for a bulk. */
  get #isBulk(): boolean {
    return this.#operations >= PORTION.keys || this.#bytes >= PORTION.bytes;
  }

  async #run(): Promise<void> {
    const { signal } = this.#options;
    while (!signal.aborted && this.#backlog.length > 0) {
      if (!this.#isBulk && !this.#hurried) await this.#gather();
      const entries = this.#nextBulk();
      if (await this.#apply(entries)) this.#done(entries);
    }
    this.#running = undefined;
  }

  async #gather(): Promise<void> {
    await new Promise<void>(resolve => {
      const timer = setTimeout(resolve, GATHER_MS);
      this.#gathered = () => {
        clearTimeout(timer);
        resolve();
      };
    });
    this.#gathered = undefined;
  }

  /** Resolves with true when the entries are applied, with false after the abort. */
  async #apply(entries: readonly JournalEntry[]): Promise<boolean> {
    const { writer, onRoom } = this.#options;
    const portions = portionsOf(
      entries.flatMap(entry => entry.operations),
      PORTION,
    );
    const last = portions.pop() ?? [];
    for (const portion of portions) {
      if (!(await writer.write(portion))) return false;
      this.#writtenOperations += portion.length;
      this.#writtenBytes += portion.reduce((sum, operation) => sum + encodedBytes(operation), 0);
      onRoom();
    }
    return writer.write(last, lastNumber(entries));
  }

  #nextBulk(): JournalEntry[] {
    let count = 0;
    let operations = 0;
    let bytes = 0;
    for (const entry of this.#backlog) {
      operations += entry.operations.length;
      bytes += entry.bytes;
      if (count > 0 && (operations > PORTION.keys || bytes > PORTION.bytes)) break;
      count += 1;
    }
    return this.#backlog.slice(0, count);
  }

  #done(entries: readonly JournalEntry[]): void {
    this.#backlog.splice(0, entries.length);
    this.#writtenOperations = 0;
    this.#writtenBytes = 0;
    for (const { operations, bytes } of entries) {
      this.#operations -= operations.length;
      this.#bytes -= bytes;
    }
    this.#options.onApplied(lastNumber(entries));
  }
}

function lastNumber(entries: readonly JournalEntry[]): number {
  return entries.at(-1)?.number ?? 0;
}
