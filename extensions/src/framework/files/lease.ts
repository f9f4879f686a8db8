/**
 * A file that says which process may do something alone. It outlives no holder: one that was killed is
 * recognised by its process id when it ran on this machine, and otherwise (another container on the same
 * volume) by a heartbeat that stopped.
 *
 * It keeps apart processes that were started twice by mistake, or as a standby. Nothing may depend on it
 * for safety: a holder that was suspended for longer than the heartbeat allows finds out only afterwards.
 */
import { randomUUID } from 'node:crypto';
import { readlinkSync } from 'node:fs';
import { link, open, readFile, rename, stat, unlink, utimes } from 'node:fs/promises';
import os from 'node:os';
import { sleep } from '@zenko-modules/common/deadline';
import type { Logger } from '@zenko-modules/common/logger';
import { readIfThere } from './durable-file.js';

const HEARTBEAT_MS = 3000;
/** A lease of another machine or container is free when its heartbeat is older than this. */
const STALE_AFTER_MS = 15_000;
const RETRY_MS = 500;

interface Holder {
  readonly token: string;
  readonly pid: number;
  readonly place: string;
}

export interface Lease {
  /** Aborted when the lease is lost to another process. */
  readonly lost: AbortSignal;
  /** Gives it up. May be called twice. */
  release(): Promise<void>;
}

export interface LeaseOptions {
  readonly file: string;
  /** What is being held, for the log. */
  readonly what: string;
  readonly log: Logger;
  /** Ends the waiting. */
  readonly signal: AbortSignal;
}

/** Waits until the lease is free and takes it; `undefined` when `signal` was aborted first. */
export async function acquireLease(options: LeaseOptions): Promise<Lease | undefined> {
  const { file, what, log, signal } = options;
  const token = randomUUID();
  const own: Holder = { token, pid: process.pid, place: thisPlace() };
  let told = false;
  while (!signal.aborted) {
    if (await create(file, own)) return hold(options, token);
    const content = await readIfThere(file);
    if (content !== undefined && (await isStale(file, content))) {
      await removeStale(file, content, token);
    } else if (content !== undefined) {
      if (!told) log.warn({ holder: content, file }, `another process holds ${what}: waiting for it to end`);
      told = true;
      await sleep(RETRY_MS, signal);
    }
  }
  return undefined;
}

async function create(file: string, holder: Holder): Promise<boolean> {
  // Written under another name first, so that nobody ever reads half a holder.
  const draft = `${file}.${holder.token}`;
  const handle = await open(draft, 'w');
  try {
    await handle.writeFile(JSON.stringify(holder));
  } finally {
    await handle.close();
  }
  try {
    await link(draft, file);
    return true;
  } catch (err) {
    if ((err as NodeJS.ErrnoException).code === 'EEXIST') return false;
    throw err;
  } finally {
    await unlink(draft);
  }
}

function hold({ file, what, log }: LeaseOptions, token: string): Lease {
  const lost = new AbortController();
  let released = false;
  const beat = async (): Promise<void> => {
    const holder = parseHolder((await readIfThere(file)) ?? '');
    if (holder?.token === token) {
      const now = new Date();
      await utimes(file, now, now);
    } else {
      clearInterval(timer);
      log.error({ holder }, `another process took ${what}`);
      lost.abort();
    }
  };
  const timer = setInterval(() => {
    beat().catch((err: unknown) => log.warn({ err }, `could not renew the lease of ${what}`));
  }, HEARTBEAT_MS);
  timer.unref();
  return {
    lost: lost.signal,
    release: async () => {
      clearInterval(timer);
      if (released || lost.signal.aborted) return;
      released = true;
      if (parseHolder((await readIfThere(file)) ?? '')?.token === token) await unlink(file);
    },
  };
}

async function isStale(file: string, content: string): Promise<boolean> {
  const holder = parseHolder(content);
  if (holder?.place === thisPlace() && !isAlive(holder.pid)) return true;
  try {
    return Date.now() - (await stat(file)).mtimeMs > STALE_AFTER_MS;
  } catch (err) {
    if ((err as NodeJS.ErrnoException).code === 'ENOENT') return false;
    throw err;
  }
}

/** Removes the lease whose content was found stale, and puts it back if it turns out to be another by now. */
async function removeStale(file: string, content: string, token: string): Promise<void> {
  const aside = `${file}.${token}.stale`;
  try {
    await rename(file, aside);
    if ((await readFile(aside, 'utf8')) !== content) await link(aside, file);
    await unlink(aside);
  } catch (err) {
    const { code } = err as NodeJS.ErrnoException;
    if (code !== 'ENOENT' && code !== 'EEXIST') throw err;
  }
}

function parseHolder(content: string): Holder | undefined {
  try {
    return JSON.parse(content) as Holder;
  } catch {
    return undefined;
  }
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (err) {
    return (err as NodeJS.ErrnoException).code === 'EPERM';
  }
}

/** Where process ids mean the same: this machine and, on Linux, this container. */
function thisPlace(): string {
  try {
    return `${os.hostname()} ${readlinkSync('/proc/self/ns/pid')}`;
  } catch {
    return `${os.hostname()} without pid namespaces`;
  }
}
