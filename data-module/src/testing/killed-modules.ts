/**
 * Several data modules over one backend, which are killed and started again while clients upload and delete at all of them:
 * what was acknowledged is whole, what was deleted is gone, no key comes twice, and no upload at another module suffers.
 */
import assert from 'node:assert/strict';
import type { TestContext } from 'node:test';
import { Readable } from 'node:stream';
import { fileURLToPath } from 'node:url';
import { sleep } from '@zenko-modules/common/deadline';
import { isErrorType, messageOf } from '@zenko-modules/common/errors';
import { type DaemonProcess, startDaemon } from '@zenko-modules/common/testing/daemon-process';
import { seededRandom } from '@zenko-modules/common/testing/random';
import { digestOf, generatedBytes } from './generated-bytes.js';
import { HttpStore } from './http-store.js';

const MAIN = fileURLToPath(new URL('../main.js', import.meta.url));
const CLIENTS = 3;
/** A backend of a test has an end: from so many blobs on, one is deleted for each that is stored. */
const MAX_STORED = 300;
/** Of a slow upload: it is under way while other modules are killed, start and sweep. */
const SLOW_MS = 1500;

export interface KilledModulesOptions {
  readonly modules: number;
  readonly kills: number;
  readonly maxBytes: number;
  /** Settings of the module of this number, such as its DATA_DIR. */
  readonly env: (module: number) => Promise<Readonly<Record<string, string>>>;
}

export interface AfterKills {
  /** Sizes of the blobs that must be there, by key. */
  readonly stored: ReadonlyMap<string, number>;
  /** Blobs that are there at most besides: whole, under keys that nobody was told. */
  readonly untold: number;
  /** A module that is still running. */
  readonly store: HttpStore;
}

interface Blob {
  readonly seed: number;
  readonly size: number;
}

interface Module {
  daemon: DaemonProcess;
  store: HttpStore;
  /** Aborted before the module is killed. */
  life: AbortController;
}

export async function killModules(t: TestContext, options: KilledModulesOptions): Promise<AfterKills> {
  const { modules: count, kills, maxBytes, env } = options;
  const random = seededRandom(t);
  const stored = new Map<string, Blob>();
  /** Was to be deleted when its module was killed: either there or not. */
  const unsure = new Map<string, Blob>();
  const deleted: string[] = [];
  const keys: string[] = [];
  const failures: string[] = [];
  const stop = new AbortController();
  let cutOff = 0;
  let seed = random.seed;

  const start = async (index: number): Promise<Module> => {
    const shared = { DATA_PORT: '0', DATA_PROBE_PORT: '0', DATA_WORKERS: '1', LOG_LEVEL: 'warn' };
    const daemon = await startDaemon(t, { entry: MAIN, env: { ...shared, ...(await env(index)) } });
    return { daemon, store: new HttpStore(daemon.ports.DATA_PORT ?? 0), life: new AbortController() };
  };
  const upload = async (store: HttpStore, isSlow: boolean): Promise<void> => {
    const blob = { seed: (seed += 1), size: isSlow ? maxBytes : random.integer(0, maxBytes) };
    const source = isSlow ? slowBytes(blob) : generatedBytes(blob.seed, blob.size);
    const key = await store.put(source, blob.size);
    keys.push(key);
    stored.set(key, blob);
  };
  const remove = async (store: HttpStore): Promise<void> => {
    const [found] = stored;
    if (found === undefined) return upload(store, false);
    const [key, blob] = found;
    stored.delete(key);
    unsure.set(key, blob);
    await store.delete(key);
    unsure.delete(key);
    deleted.push(key);
  };
  /** Works at one module, and at its successor, until the end. */
  const client = async (at: () => Module, number: number): Promise<void> => {
    while (!stop.signal.aborted) {
      const module = at();
      const { store } = module;
      if (isKilled(module)) {
        await sleep(20);
        continue;
      }
      try {
        if (number === 0) await upload(store, true);
        else if (stored.size >= MAX_STORED || random.integer(0, 3) === 0) await remove(store);
        else await upload(store, false);
      } catch (err) {
        if (isKilled(module)) cutOff += 1;
        else failures.push(messageOf(err));
      }
    }
  };

  const running = await Promise.all(Array.from({ length: count }, (_, index) => start(index)));
  const moduleAt = (index: number): Module => {
    const module = running[index];
    assert.ok(module !== undefined);
    return module;
  };
  const clients = running.flatMap((_, index) =>
    Array.from({ length: CLIENTS }, (_, number) => client(() => moduleAt(index), number)),
  );
  // On a busy machine clients may all be between two calls.
  for (let kill = 0; kill < kills || (cutOff === 0 && kill < 5 * kills); kill += 1) {
    const acknowledged = keys.length;
    while (keys.length < acknowledged + CLIENTS && failures.length === 0) await sleep(10);
    await sleep(random.integer(0, 300));
    const index = random.integer(0, count - 1);
    const { daemon, store, life } = moduleAt(index);
    life.abort();
    await daemon.kill('SIGKILL');
    await store.close();
    running[index] = await start(index);
  }
  stop.abort();
  await Promise.all(clients);

  t.diagnostic(`${stored.size} stored, ${deleted.length} deleted, ${unsure.size} unsure, ${cutOff} cut off`);
  assert.deepEqual(failures, [], 'nothing failed at a module that was not killed');
  assert.ok(cutOff > 0, 'the kills hit uploads and deletes in their midst');
  assert.equal(new Set(keys).size, keys.length, 'no key came twice');
  const { store } = moduleAt(0);
  for (const key of deleted) await assert.rejects(store.stat(key), err => isErrorType(err, 'ObjNotFound'));
  for (const [key, blob] of unsure) {
    const size = await store.stat(key).catch((err: unknown) => {
      assert.ok(isErrorType(err, 'ObjNotFound'), String(err));
    });
    if (size !== undefined) stored.set(key, blob);
  }
  for (const [key, { seed: from, size }] of stored)
    assert.deepEqual(await digestOf(await store.get(key)), await digestOf(generatedBytes(from, size)), key);
  return {
    stored: new Map([...stored].map(([key, { size }]) => [key, size])),
    untold: cutOff,
    store,
  };
}

function isKilled({ life }: Module): boolean {
  return life.signal.aborted;
}

function slowBytes({ seed, size }: Blob): Readable {
  async function* pieces(): AsyncGenerator<Buffer, void> {
    for await (const piece of generatedBytes(seed, size) as AsyncIterable<Buffer>) {
      await sleep((SLOW_MS * piece.length) / size);
      yield piece;
    }
  }
  return Readable.from(pieces(), { objectMode: false });
}
