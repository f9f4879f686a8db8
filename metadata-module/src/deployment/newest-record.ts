/**
 * A note beside the store of how much of the record log was acknowledged, in a file of its own: what the store
 * itself has lost it cannot tell. It is a lower bound, written every few seconds and when the module stops.
 */
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { messageOf } from '@zenko-modules/common/errors';
import type { Logger } from '@zenko-modules/common/logger';
import { StartError } from '@zenko-modules/common/start-error';
import { z } from 'zod';
import type { StoreAtRest } from '../leveldowns/plugin.js';
import { replaceFile } from './replace-file.js';

const FILE = 'newest-record';
const INTERVAL_MS = 5000;

const NOTE = z.object({
  format: z.literal('newest record 1'),
  /** The deployment that it is about: one that was left behind in the folder says nothing of another. */
  uuid: z.string(),
  /** The newest record when this module took the store over. Another daemon may have left gaps up to it. */
  from: z.number().int().min(0),
  /** This record, and all before it, were on stable storage. */
  acknowledged: z.number().int().min(0),
  /** How this module left a store that it has closed; not there while it is open, and after a crash. See `StoreAtRest`. */
  closed: z
    .object({
      opened: z.number().int().min(0),
      lastWrite: z.number().int().min(0),
      /** The newest record that was there, 0 when there was none, and the SHA-256 of what was stored. */
      record: z.number().int().min(0),
      sha256: z.string(),
    })
    .optional(),
});

export type Acknowledged = Pick<z.infer<typeof NOTE>, 'from' | 'acknowledged' | 'closed'>;
export type StoredRecord = Pick<NonNullable<Acknowledged['closed']>, 'record' | 'sha256'>;

/** What the note in `folder` says of the deployment `uuid`; `undefined` when there is none, or it is damaged. */
export async function readAcknowledged(
  folder: string,
  uuid: string,
  log: Logger,
): Promise<Acknowledged | undefined> {
  const file = path.join(folder, FILE);
  try {
    const note = NOTE.parse(JSON.parse(await readFile(file, 'utf8')));
    return note.uuid === uuid ? note : undefined;
  } catch (err) {
    if ((err as NodeJS.ErrnoException).code !== 'ENOENT') log.warn({ err, file }, 'this note cannot be read');
    return undefined;
  }
}

export interface NewestRecordOptions {
  readonly folder: string;
  readonly uuid: string;
  readonly from: number;
  /** The newest record that was acknowledged. */
  readonly newest: () => number;
  /** The newest record of the store; `undefined` when it does not have it any more. */
  readonly stored: () => Promise<StoredRecord | undefined>;
  /** The note that is there says that the store is closed. */
  readonly isClosed: boolean;
  readonly log: Logger;
}

/** Keeps the note up to date until it is closed. */
export class NewestRecord {
  readonly #options: NewestRecordOptions;
  readonly #timer: NodeJS.Timeout;
  #written: number | undefined;
  #stored: StoredRecord | undefined;
  #writing: Promise<void> = Promise.resolve();

  private constructor(options: NewestRecordOptions) {
    this.#options = options;
    this.#timer = setInterval(() => void this.#keep(), INTERVAL_MS).unref();
  }

  /** @throws StartError when the store would be called closed while it is open */
  static async open(options: NewestRecordOptions): Promise<NewestRecord> {
    const note = new NewestRecord(options);
    if (!options.isClosed) {
      await note.#keep();
      return note;
    }
    try {
      await note.#write();
      return note;
    } catch (err) {
      clearInterval(note.#timer);
      const file = path.join(options.folder, FILE);
      throw new StartError(`METADATA_PATH: ${file} cannot be written: ${messageOf(err)}`, { cause: err });
    }
  }

  /** Writes it for the last time while the store is open. Nothing is acknowledged any more. */
  async close(): Promise<void> {
    clearInterval(this.#timer);
    await this.#keep();
    this.#stored = await this.#options.stored();
  }

  /** Notes how the store was left, which this process has closed after `close`. Without it the note stays what it is. */
  async seal(atRest: () => Promise<StoreAtRest | undefined>): Promise<void> {
    if (this.#stored === undefined) return;
    const store = await atRest();
    if (store === undefined) return;
    await this.#write({ opened: store.opened, lastWrite: await store.lastWrite(), ...this.#stored });
  }

  /** A note that cannot be written stays what it is: a lower bound. */
  #keep(): Promise<void> {
    const { log } = this.#options;
    this.#writing = this.#writing
      .then(() => this.#write())
      .catch((err: unknown) => log.warn({ err }, 'the newest record could not be noted'));
    return this.#writing;
  }

  async #write(closed?: Acknowledged['closed']): Promise<void> {
    const { folder, uuid, from, newest } = this.#options;
    const acknowledged = newest();
    if (acknowledged === this.#written && closed === undefined) return;
    const note = { format: 'newest record 1', uuid, from, acknowledged, closed } satisfies z.infer<
      typeof NOTE
    >;
    await replaceFile(path.join(folder, FILE), `${JSON.stringify(note)}\n`);
    this.#written = acknowledged;
  }
}
