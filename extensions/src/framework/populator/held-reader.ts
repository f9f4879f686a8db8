/**
 * One of several populators of a name works: the one that holds the reader of that name at the metadata module,
 * which keeps the cursors for whoever holds it next.
 *
 * A holder says so four times per lease, and stops by its own clock while a part of the lease is left. One that was
 * frozen meanwhile saves nothing more, and writes to the queue on files nothing behind what another one wrote there. The
 * one request that it had given to Kafka may still arrive, after what another one has published.
 */
import { randomUUID } from 'node:crypto';
import os from 'node:os';
import { sleep } from '@zenko-modules/common/deadline';
import type { Logger } from '@zenko-modules/common/logger';
import type { RpcClient } from '@zenko-modules/rpc/client';
import { z } from 'zod';
import type { Lease } from '../files/lease.js';
import { type Cursor, type CursorPlace, cursorSchema } from './cursor.js';
import { LOG_NAME } from './record-log-reader.js';

const LEASE_MS = 4000;
const RENEWALS_PER_LEASE = 4;
/** The part of a lease without an answer after which a holder stops: the rest is for what it has under way. */
const USED_OF_LEASE = 0.75;
const RETRY_MS = 500;

const holdAnswer = z.object({ holder: z.string(), places: z.record(z.string(), z.string()) });
const saveAnswer = z.object({ saved: z.boolean() });

export interface HoldOptions {
  readonly client: Pick<RpcClient, 'call'>;
  /** POPULATOR_NAME */
  readonly name: string;
  /** What was kept before in the folder: what this populator begins with where nobody has saved anything. */
  readonly before: Pick<CursorPlace, 'read'>;
  /** Told who works in the place of this one, with every look; `undefined`: it is not known. */
  readonly onWaiting?: (holder: string | undefined) => void;
  readonly log: Logger;
  /** Ends the waiting. */
  readonly signal: AbortSignal;
  readonly leaseMs?: number;
}

/** Waits until nobody else holds the reader and takes it; `undefined` when `signal` was aborted first. */
export async function holdReader(options: HoldOptions): Promise<HeldReader | undefined> {
  const { name, log, signal } = options;
  const id = `${process.pid}@${os.hostname()}#${randomUUID()}`;
  let told: string | undefined;
  while (!signal.aborted) {
    const sentAt = performance.now();
    try {
      const { holder, places } = await ask(options, id, options.leaseMs ?? LEASE_MS);
      if (holder === id) return new HeldReader(options, { id, places, sentAt });
      if (told !== holder) log.info({ holder, reader: name }, 'another populator works: standing by for it');
      told = holder;
      options.onWaiting?.(holder);
    } catch (err) {
      if (told !== '')
        log.warn({ err, reader: name }, 'the metadata module cannot be asked which populator works');
      told = '';
      options.onWaiting?.(undefined);
    }
    await sleep(RETRY_MS, signal);
  }
  return undefined;
}

export class HeldReader implements Lease, CursorPlace {
  readonly #options: HoldOptions;
  readonly #id: string;
  readonly #places: Map<string, string>;
  readonly #lost = new AbortController();
  readonly #timer: NodeJS.Timeout;
  /** When what the metadata module has heard last was sent. */
  #renewedAt = -Infinity;
  #expiry: NodeJS.Timeout | undefined;
  #ended = false;

  constructor(
    options: HoldOptions,
    held: { readonly id: string; readonly places: Readonly<Record<string, string>>; readonly sentAt: number },
  ) {
    this.#options = options;
    this.#id = held.id;
    this.#places = new Map(Object.entries(held.places));
    this.#timer = setInterval(() => void this.#renew(), this.#leaseMs / RENEWALS_PER_LEASE);
    this.#timer.unref();
    this.#renewed(held.sentAt);
  }

  /** Aborted when another populator may hold the reader. */
  get lost(): AbortSignal {
    return this.#lost.signal;
  }

  async read(extension: string): Promise<Cursor | undefined> {
    const kept = this.#places.get(placeOf(extension));
    if (kept !== undefined) return cursorSchema.parse(JSON.parse(kept));
    return this.#places.size > 0 ? undefined : this.#options.before.read(extension);
  }

  async save(extension: string, cursor: Cursor): Promise<void> {
    const { client, name: reader } = this.#options;
    const [name, place] = [placeOf(extension), JSON.stringify(cursor)];
    const sentAt = performance.now();
    const answer = await client.call('saveReaderPlace', {
      rpcArgs: [{ reader, holder: this.#id, name, place }],
      subLevel: [],
      logName: LOG_NAME,
    });
    if (!saveAnswer.parse(answer).saved) {
      this.#lose('another populator works');
      throw new Error('another populator works: this one may not save its offset');
    }
    this.#renewed(sentAt);
    this.#places.set(name, place);
  }

  /** Nothing is forgotten here: other populators of this name may have other extensions switched on for a while. */
  keepOnly(): Promise<void> {
    return Promise.resolve();
  }

  /** Gives the reader up, for another one to begin at once. May be called twice. */
  async release(): Promise<void> {
    if (this.#ended || this.#lost.signal.aborted) return;
    this.#ended = true;
    this.#stopTimers();
    try {
      await ask(this.#options, this.#id, 0);
    } catch (err) {
      this.#options.log.warn(
        { err },
        'the record log could not be given up: another populator waits a moment',
      );
    }
  }

  async confirm(): Promise<void> {
    if (!this.#lost.signal.aborted && !this.#ended) {
      const sentAt = performance.now();
      const { holder } = await ask(this.#options, this.#id, this.#leaseMs);
      if (holder === this.#id) {
        this.#renewed(sentAt);
        return;
      }
      this.#lose('another populator works');
    }
    throw new Error('another populator works: this one may not publish');
  }

  get #leaseMs(): number {
    return this.#options.leaseMs ?? LEASE_MS;
  }

  async #renew(): Promise<void> {
    const sentAt = performance.now();
    try {
      const { holder } = await ask(this.#options, this.#id, this.#leaseMs);
      if (holder === this.#id) this.#renewed(sentAt);
      else this.#lose('another populator works');
    } catch (err) {
      this.#options.log.warn({ err }, 'cannot tell the metadata module that this populator works');
    }
  }

  #renewed(sentAt: number): void {
    if (sentAt <= this.#renewedAt || this.#ended || this.#lost.signal.aborted) return;
    this.#renewedAt = sentAt;
    clearTimeout(this.#expiry);
    this.#expiry = setTimeout(
      () => this.#lose('the metadata module could not be told for too long that this one works'),
      sentAt + this.#leaseMs * USED_OF_LEASE - performance.now(),
    );
    this.#expiry.unref();
  }

  #stopTimers(): void {
    clearInterval(this.#timer);
    clearTimeout(this.#expiry);
  }

  #lose(reason: string): void {
    if (this.#lost.signal.aborted || this.#ended) return;
    this.#stopTimers();
    this.#options.log.error({ reason }, 'this populator works no more: standing by');
    this.#lost.abort();
  }
}

async function ask(
  { client, name }: HoldOptions,
  holder: string,
  leaseMs: number,
): Promise<z.infer<typeof holdAnswer>> {
  const answer = await client.call('holdReader', {
    rpcArgs: [{ reader: name, holder, leaseMs }],
    subLevel: [],
    logName: LOG_NAME,
  });
  return holdAnswer.parse(answer);
}

/** No name is empty there. */
function placeOf(extension: string): string {
  return `offset.${extension}`;
}
