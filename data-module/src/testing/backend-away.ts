/** The backend is away, is killed, stands still, or comes back: named errors in time, and no restart of the module. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { PassThrough } from 'node:stream';
import test, { type TestContext } from 'node:test';
import { sleep } from '@zenko-modules/common/deadline';
import { isErrorType } from '@zenko-modules/common/errors';
import { type Logger, silentLogger } from '@zenko-modules/common/logger';
import { temporaryFolder } from '@zenko-modules/common/testing/temporary-folder';
import { startTcpProxy } from '@zenko-modules/common/testing/tcp-proxy';
import { digestOf, generatedBytes } from './generated-bytes.js';
import { eventually } from './harmed-transfers.js';
import { HttpStore } from './http-store.js';
import { readiness } from './memcached-module.js';
import { startTestModule } from './start-module.js';

const MiB = 1024 * 1024;

/** A backend that the test may stop. */
export interface Backend {
  readonly port: number;
  readonly kill: () => Promise<void>;
  /** Starts it again on its port. */
  readonly restart: () => Promise<void>;
  /** Settings of a module that finds it at this port, with a short deadline. */
  readonly env: (port: number) => Readonly<Record<string, string>>;
}

/** Does what a test does, again if it has to begin anew; the modules log to `log`. */
export type Around = (
  t: TestContext,
  run: (watch: { readonly log: Logger }) => Promise<void>,
) => Promise<void>;

export interface BackendAwayOptions {
  readonly name: string;
  readonly skip: string | false;
  /** Size of an upload of several steps, and of what comes of it before the backend goes. */
  readonly uploadBytes: number;
  /** More than that deadline. */
  readonly longerThanDeadlineMs: number;
  readonly start: (t: TestContext) => Promise<Backend>;
  /** For a backend that may not come back whole. Once by default. */
  readonly around?: Around;
}

const asItIs: Around = (_, run) => run({ log: silentLogger() });

export function testBackendAway(options: BackendAwayOptions): void {
  const { name, skip, uploadBytes, longerThanDeadlineMs, around = asItIs } = options;
  const started = async (t: TestContext, log?: Logger) => {
    const backend = await options.start(t);
    const proxy = await startTcpProxy(t, backend.port);
    const open = async () => {
      const env = { ...backend.env(proxy.port), DATA_DIR: await temporaryFolder(t) };
      const module = await startTestModule(t, env, log);
      const store = new HttpStore(module.port);
      t.after(() => store.close());
      return { ...module, store };
    };
    return { backend, proxy, open };
  };
  const unavailable = (work: Promise<unknown>): Promise<void> =>
    assert.rejects(work, err => {
      assert.ok(isErrorType(err, 'ServiceUnavailable'), String(err));
      return true;
    });
  const serves = async (store: HttpStore): Promise<void> => {
    const key = await store.put(generatedBytes(7, uploadBytes), uploadBytes);
    assert.deepEqual(await digestOf(await store.get(key)), await digestOf(generatedBytes(7, uploadBytes)));
    await store.delete(key);
  };
  /** An upload of which half has been sent. */
  const begun = (store: HttpStore) => {
    const source = new PassThrough();
    source.on('error', () => source.destroy());
    const put = store.put(source, uploadBytes);
    put.catch(() => undefined);
    generatedBytes(1, uploadBytes / 2).pipe(source, { end: false });
    return { put, finish: () => generatedBytes(2, uploadBytes / 2).pipe(source) };
  };

  test(
    `${name}: the module starts without its backend, says so, and recovers by itself`,
    { skip },
    async t => {
      await around(t, async ({ log }) => {
        const { backend, open } = await started(t, log);
        await backend.kill();
        const module = await open();
        const { store } = module;
        for (const call of [
          () => store.put(generatedBytes(1, MiB), MiB),
          () => store.put(generatedBytes(1, 0), 0),
          () => store.get('ab'),
          () => store.delete('ab'),
          () => store.diskUsage(),
        ])
          await unavailable(call());
        assert.equal(await readiness(module), 503);
        await backend.restart();
        await eventually('it is ready again', async () => (await readiness(module)) === 200);
        await serves(store);
      });
    },
  );

  test(
    `${name}: a backend that is killed in the midst of an upload fails it, and serves the next`,
    { skip },
    async t => {
      await around(t, async ({ log }) => {
        const { backend, open } = await started(t, log);
        const module = await open();
        await serves(module.store);
        const { put, finish } = begun(module.store);
        await sleep(300);
        await backend.kill();
        finish();
        await unavailable(put);
        await backend.restart();
        await eventually('it serves again', async () => serves(module.store).then(() => true));
      });
    },
  );

  test(
    `${name}: a backend that stands still fails every call in time, and is used again`,
    { skip },
    async t => {
      const { proxy, open } = await started(t);
      const module = await open();
      const { store } = module;
      const key = await store.put(generatedBytes(1, uploadBytes), uploadBytes);
      const { put, finish } = begun(store);
      await sleep(300);
      proxy.standStill(true);
      finish();
      await unavailable(put);
      await unavailable(store.get(key));
      await unavailable(store.delete(key));
      proxy.standStill(false);
      await eventually('it serves again', async () => serves(store).then(() => true));
    },
  );

  test(`${name}: an answer that stops in its midst is cut, not ended`, { skip }, async t => {
    const { proxy, open } = await started(t);
    const { store } = await open();
    const key = await store.put(generatedBytes(1, uploadBytes), uploadBytes);
    // Before the half of it has come, on however many connections.
    proxy.arm({ harm: 'stall', afterBytes: uploadBytes / 16, times: 16 });
    await assert.rejects(store.get(key).then(digestOf));
  });

  test(
    `${name}: a reader that stands still holds up the backend, and gets every byte in the end`,
    { skip },
    async t => {
      const { proxy, open } = await started(t);
      const { store } = await open();
      const size = 48 * MiB;
      const key = await store.put(generatedBytes(1, size), size);
      // More than what is read ahead, and what the system buffers between the backend and the reader.
      proxy.arm({ harm: 'reset', afterBytes: 30 * MiB });
      const stream = await store.get(key);
      await once(stream, 'readable');
      await sleep(longerThanDeadlineMs);
      assert.equal(proxy.harmed(), 0, 'less than two thirds were read');
      proxy.arm({ harm: 'reset', afterBytes: 0, times: 0 });
      assert.deepEqual(await digestOf(stream), await digestOf(generatedBytes(1, size)));
    },
  );

  test(`${name}: slow answers are waited for`, { skip }, async t => {
    const { proxy, open } = await started(t);
    const { store } = await open();
    proxy.delayAnswers(60);
    await serves(store);
  });
}
