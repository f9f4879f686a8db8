/**
 * A note beside the store of how much of the record log was acknowledged, in a file of its own: what the store
 * itself has lost it cannot tell. It is a lower bound, written every few seconds and when the module stops.
 */
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import type { Logger } from '@zenko-modules/common/logger';
import { z } from 'zod';
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
});

export type Acknowledged = Pick<z.infer<typeof NOTE>, 'from' | 'acknowledged'>;

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
  readonly log: Logger;
}

/** Keeps the note up to date until it is closed. */
export class NewestRecord {
  readonly #options: NewestRecordOptions;
  readonly #timer: NodeJS.Timeout;
  #written: number | undefined;
  #writing: Promise<void> = Promise.resolve();

  private constructor(options: NewestRecordOptions) {
    this.#options = options;
    this.#timer = setInterval(() => void this.#keep(), INTERVAL_MS).unref();
  }

  static async open(options: NewestRecordOptions): Promise<NewestRecord> {
    const note = new NewestRecord(options);
    await note.#keep();
    return note;
  }

  /** Writes it for the last time. Nothing is acknowledged any more. */
  async close(): Promise<void> {
    clearInterval(this.#timer);
    await this.#keep();
  }

  /** A note that cannot be written stays what it is: a lower bound. */
  #keep(): Promise<void> {
    const { log } = this.#options;
    this.#writing = this.#writing
      .then(() => this.#write())
      .catch((err: unknown) => log.warn({ err }, 'the newest record could not be noted'));
    return this.#writing;
  }

  async #write(): Promise<void> {
    const { folder, uuid, from, newest } = this.#options;
    const acknowledged = newest();
    if (acknowledged === this.#written) return;
    const note = { format: 'newest record 1', uuid, from, acknowledged } satisfies z.infer<typeof NOTE>;
    await replaceFile(path.join(folder, FILE), `${JSON.stringify(note)}\n`);
    this.#written = acknowledged;
  }
}
