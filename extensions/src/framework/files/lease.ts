/**
 * A name on disk that says which process may do something alone. It outlives no holder: one that was killed is
 * recognised by its process id when it ran on this machine, and otherwise (another container on the same
 * volume) by a heartbeat that stopped.
 *
 * It is a symbolic link to nowhere, `<pid>@<host>-<place>#<token>`: made by one call that fails when it is there,
 * and so short that it lies in its inode, so that a full disk stops nobody from taking it.
 *
 * It keeps apart processes that were started twice by mistake, or as a standby. Nothing may depend on it alone
 * for safety: a holder that was suspended for longer than the heartbeat allows finds out only afterwards, or when
 * it asks by `confirm`.
 */
import { createHash, randomBytes } from 'node:crypto';
import { readlinkSync } from 'node:fs';
import { lstat, lutimes, readFile, readlink, rename, rm, symlink, unlink } from 'node:fs/promises';
import os from 'node:os';
import { sleep } from '@zenko-modules/common/deadline';
import type { Logger } from '@zenko-modules/common/logger';

const HEARTBEAT_MS = 3000;
/** A lease of another machine or container is free when its heartbeat is older than this. */
const STALE_AFTER_MS = 15_000;
const RETRY_MS = 500;
const HOLDER = /^(\d+)@(.+)#[^#]+$/;

export interface Lease {
  /** Aborted when the lease is lost to another process. */
  readonly lost: AbortSignal;
  /** Looks whether it is still held. Rejects when it is not, or that cannot be told. */
  confirm(): Promise<void>;
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
  const token = randomBytes(6).toString('hex');
  const own = `${process.pid}@${thisPlace()}#${token}`;
  let told = false;
  while (!signal.aborted) {
    if (await take(file, own)) return hold(options, own);
    const holder = await readHolder(file);
    if (holder === undefined) continue;
    if (await isStale(file, holder)) await removeStale(file, holder, token);
    else {
      if (!told) log.warn({ holder, file }, `another process holds ${what}: waiting for it to end`);
      told = true;
      await sleep(RETRY_MS, signal);
    }
  }
  return undefined;
}

async function take(file: string, holder: string): Promise<boolean> {
  try {
    await symlink(holder, file);
    return true;
  } catch (err) {
    if ((err as NodeJS.ErrnoException).code === 'EEXIST') return false;
    throw err;
  }
}

/** Who has it; `undefined`: nobody. */
async function readHolder(file: string): Promise<string | undefined> {
  try {
    return await readlink(file);
  } catch (err) {
    const { code } = err as NodeJS.ErrnoException;
    if (code === 'ENOENT') return undefined;
    // Earlier versions wrote a file.
    if (code === 'EINVAL') return readFile(file, 'utf8');
    throw err;
  }
}

function hold({ file, what, log }: LeaseOptions, own: string): Lease {
  const lost = new AbortController();
  let released = false;
  const isHeld = async (): Promise<boolean> => {
    const holder = await readHolder(file);
    if (holder === own) return true;
    if (!released && !lost.signal.aborted) {
      clearInterval(timer);
      log.error({ holder }, `another process took ${what}`);
      lost.abort();
    }
    return false;
  };
  const beat = async (): Promise<void> => {
    if (!(await isHeld())) return;
    const now = new Date();
    await lutimes(file, now, now);
  };
  const timer = setInterval(() => {
    beat().catch((err: unknown) => log.warn({ err }, `could not renew the lease of ${what}`));
  }, HEARTBEAT_MS);
  timer.unref();
  return {
    lost: lost.signal,
    confirm: async () => {
      if (!(await isHeld())) throw new Error(`${what} is held by another process`);
    },
    release: async () => {
      clearInterval(timer);
      if (released || lost.signal.aborted) return;
      released = true;
      if ((await readHolder(file)) === own) await unlink(file);
    },
  };
}

async function isStale(file: string, holder: string): Promise<boolean> {
  const [, pid, place] = HOLDER.exec(holder) ?? [];
  if (place === thisPlace() && !isAlive(Number(pid))) return true;
  try {
    return Date.now() - (await lstat(file)).mtimeMs > STALE_AFTER_MS;
  } catch (err) {
    if ((err as NodeJS.ErrnoException).code === 'ENOENT') return false;
    throw err;
  }
}

/** Removes the lease whose holder was found dead, and puts it back if it turns out to be another's by now. */
async function removeStale(file: string, holder: string, token: string): Promise<void> {
  const aside = `${file}.${token}`;
  try {
    await rename(file, aside);
    const found = await readHolder(aside);
    if (found !== undefined && found !== holder) await take(file, found);
  } catch (err) {
    if ((err as NodeJS.ErrnoException).code !== 'ENOENT') throw err;
  } finally {
    await rm(aside, { force: true });
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
  const host = os.hostname();
  const place = createHash('sha256').update(`${host} ${pidNamespace()}`).digest('hex');
  return `${host.slice(0, 12)}-${place.slice(0, 12)}`;
}

function pidNamespace(): string {
  try {
    return readlinkSync('/proc/self/ns/pid');
  } catch {
    return 'without pid namespaces';
  }
}
