/**
 * Taking over a journal: find where it ends, make sure that it ends there for ever, and read what is not
 * applied yet.
 *
 * Positions are walked from the first that is not applied. A fence sends the walk `WINDOW` numbers on; the
 * first position without a document is the end. Only what a majority has is looked at, so that nothing that
 * was seen can vanish. Then the end gets this owner's fence; if the former owner was faster there, the walk
 * goes on.
 */
import { sleep } from '@zenko-modules/common/deadline';
import { corrupt, isDuplicateKey, overtaken } from './errors.js';
import { WINDOW, type Journal } from './journal.js';
import type { JournalDocument } from './layout.js';
import { decodeOperations, type Operation } from './operations.js';

/** How long to leave a majority to catch up with a number that is taken but not seen yet. */
const CATCH_UP_MS = 50;

export interface Entry {
  /** The number of its last part: applying it brings the data up to this number. */
  readonly number: number;
  readonly operations: readonly Operation[];
  /** Bytes of its operations. */
  readonly bytes: number;
  /** True when parts of it may be on their way to the data collection already, sent by a former owner. */
  readonly inDoubt: boolean;
}

export interface Recovered {
  /** All that is committed and not applied, as one entry. */
  readonly entry: Entry | undefined;
  /** The first number for new batches. */
  readonly next: number;
  /** Numbers that can be removed once the entries are applied. */
  readonly removable: readonly number[];
}

/**
 * Done again after a failure, it goes on where it stopped.
 * @param applied what the data holds already
 * @param cleanEnd the next number, when the former owner left nothing under way
 */
export async function recoverJournal(
  journal: Journal,
  applied: number,
  cleanEnd: number | undefined,
): Promise<Recovered> {
  const walk = await endJournal(journal, applied + 1, cleanEnd);
  const numbers = walk.batches.map(({ _id }) => _id);
  // What is read below must not be voided any more by the former owner: another reader would not see it then.
  if (cleanEnd === undefined) await journal.seal(numbers);
  const batches = await readBatches(journal, numbers);
  const entry = {
    number: walk.end - 1,
    operations: batches.flatMap(({ operations }) => operations),
    bytes: batches.reduce((sum, { bytes }) => sum + bytes, 0),
    inDoubt: true,
  };
  const before = await journal.scanBefore(applied + 1);
  const leftovers = [...before, ...walk.passed].filter(({ kind }) => kind !== 'fence');
  return {
    entry: batches.length === 0 ? undefined : entry,
    next: walk.next,
    removable: [...leftovers.map(({ _id }) => _id), ...numbers],
  };
}

interface Walk {
  /** Documents of batches, or given-up parts of them, that count. */
  readonly batches: JournalDocument[];
  /** Documents behind fences that do not count. */
  readonly passed: JournalDocument[];
  /** The first number that no batch of a former owner has. */
  readonly end: number;
  /** The first number after the end's fence. */
  readonly next: number;
  /** True when this owner's fence stands at the end: nobody else can add anything. */
  readonly fenced: boolean;
}

async function endJournal(journal: Journal, from: number, cleanEnd: number | undefined): Promise<Walk> {
  for (;;) {
    const documents = await journal.scan(from);
    // Its owner may have gone far beyond what this process saw when it began: nothing here is for it to end.
    if (documents.some(({ epoch = 0 }) => epoch > journal.epoch)) throw overtaken();
    const walk = walkFrom(documents, from, journal.writer);
    const last = documents.at(-1)?._id ?? 0;
    // Nobody writes as far ahead as that: something is missing, as after a restore of collections of different moments.
    if (last >= walk.end + WINDOW) {
      throw corrupt(`the journal has no number ${walk.end}, and yet it has number ${last}`);
    }
    if (walk.fenced || walk.end === cleanEnd) return walk;
    if (cleanEnd !== undefined) {
      throw corrupt(
        `the journal ends at number ${walk.end}, but its owner had written all before ${cleanEnd}`,
      );
    }
    try {
      await journal.insertFence(walk.end);
    } catch (err) {
      if (!isDuplicateKey(err)) throw err;
      await sleep(CATCH_UP_MS);
    }
  }
}

function walkFrom(documents: readonly JournalDocument[], from: number, writer: string): Walk {
  const batches: JournalDocument[] = [];
  const passed: JournalDocument[] = [];
  let next = from;
  for (const document of documents) {
    if (document._id < next) {
      passed.push(document);
    } else if (document._id > next) {
      break;
    } else if (document.kind === 'fence') {
      if (document.by === writer) return { batches, passed, end: next, next: next + WINDOW, fenced: true };
      next += WINDOW;
    } else {
      batches.push(document);
      next += 1;
    }
  }
  return { batches, passed, end: next, next, fenced: false };
}

/** Batches of which every part is there; others were never acknowledged, and never will be. */
async function readBatches(
  journal: Journal,
  numbers: readonly number[],
): Promise<Pick<Entry, 'operations' | 'bytes'>[]> {
  const [from, to] = [numbers[0], numbers.at(-1)];
  if (from === undefined || to === undefined) return [];
  const counted = new Set(numbers);
  const batches: Pick<Entry, 'operations' | 'bytes'>[] = [];
  let parts: Buffer[] = [];
  for await (const document of journal.read(from, to)) {
    if (!counted.has(document._id)) continue;
    const { kind, first = 0, parts: count = 0, ops } = document;
    if (kind !== 'batch' || ops === undefined) {
      parts = [];
      continue;
    }
    if (document._id === first) parts = [];
    // A part whose predecessors are not all there belongs to a batch that was given up.
    if (document._id !== first + parts.length) continue;
    parts.push(ops);
    if (parts.length < count) continue;
    const payload = Buffer.concat(parts);
    const operations = decodeOperations(payload, `journal entry ${document._id}`);
    batches.push({ operations, bytes: payload.length });
    parts = [];
  }
  return batches;
}
