/**
 * The workers of the data module, seen from the first process. That one serves no requests: it accepts connections and
 * hands them out, answers for all workers, and puts another in place of one that dies.
 */
import cluster, { type Worker } from 'node:cluster';
import net from 'node:net';
import { fileURLToPath } from 'node:url';
import { sleep, withDeadline } from '@zenko-modules/common/deadline';
import { listen } from '@zenko-modules/common/listen';
import type { Logger } from '@zenko-modules/common/logger';
import type { PlannedPort } from '@zenko-modules/common/network/port-plan';
import type { MetricsSource } from '@zenko-modules/common/probe-server';
import type { Environment, SettingsOf } from '@zenko-modules/common/settings';
import { StartError } from '@zenko-modules/common/start-error';
import { AggregatorRegistry, type Registry } from 'prom-client';
import { type DATA_SETTINGS, planDataPorts } from '../data-settings.js';
import {
  type FromWorker,
  type ProcessMetrics,
  type ToWorker,
  WORKER_VARIABLE,
  type WorkerStart,
} from './messages.js';

const WORKER_MAIN = fileURLToPath(new URL('worker-main.js', import.meta.url));
const ANSWER_MS = 2500;

/**
 * V8 counts the bytes of uploads that wait for their collection as growth of its heap, and its limit for that is about
 * twice what lives: a whole collection for every 20 MiB or so. With this one, in MiB, the quick collections of new objects,
 * which free them as well, come first.
 */
const OLD_SPACE_FLAG = '--initial-old-space-size=64';

/** Types of metrics whose values only grow; the others are about a process that is there. */
const COUNTED: readonly string[] = ['counter', 'histogram'];

/** A worker that dies again and again is started after a pause. */
const RESTART_MS = [0, 250, 1000, 5000] as const;
const STEADY_MS = 30_000;

export interface WorkersOptions {
  readonly count: number;
  readonly settings: SettingsOf<typeof DATA_SETTINGS>;
  /** Of this process; what it holds is added to what the workers tell. */
  readonly registry: Registry;
  readonly env: Environment;
  readonly log: Logger;
}

export interface Workers {
  /** By setting name. */
  readonly ports: Readonly<Record<string, number>>;
  readonly metrics: MetricsSource;
  /** Rejects with the reason when one of them cannot do its work now. */
  ping(): Promise<void>;
  /** Lets each end what is in flight. Resolves when all have gone. */
  close(): Promise<void>;
}

/**
 * Starts the first worker, which tidies up what a crash has left, and then the others.
 * @throws StartError with the line of a worker that cannot start.
 */
export async function startWorkers(options: WorkersOptions): Promise<Workers> {
  const pool = new WorkerPool(options);
  try {
    await pool.start();
  } catch (err) {
    await pool.close();
    throw err;
  }
  return pool;
}

interface Place {
  readonly index: number;
  worker: Worker | undefined;
  isServing: boolean;
  /** How often its worker has died shortly after its start. */
  deaths: number;
  /** What its worker told last of its metrics. */
  told: ProcessMetrics | undefined;
}

type Answer = Extract<FromWorker, { readonly id: number }>;

class WorkerPool implements Workers {
  readonly metrics: MetricsSource;
  ports: Readonly<Record<string, number>> = {};
  readonly #options: WorkersOptions;
  readonly #places: readonly Place[];
  readonly #awaited = new Map<number, (answer: Answer) => void>();
  readonly #stopping = new AbortController();
  #nextId = 0;
  /** What workers that are no more had counted, as far as they told: the sum over all must never go down. */
  #countedByDead: Promise<ProcessMetrics> = Promise.resolve([]);

  constructor(options: WorkersOptions) {
    this.#options = options;
    this.#places = Array.from({ length: options.count }, (_, index) => ({
      index,
      worker: undefined,
      isServing: false,
      deaths: 0,
      told: undefined,
    }));
    this.metrics = {
      contentType: options.registry.contentType,
      metrics: async () => (await this.#collectMetrics()).metrics(),
      getMetricsAsJSON: async () => (await this.#collectMetrics()).getMetricsAsJSON(),
    };
    cluster.setupPrimary({ exec: WORKER_MAIN, args: [], execArgv: [...process.execArgv, OLD_SPACE_FLAG] });
    // Connections are handed out in turn: otherwise one worker may get most of them.
    cluster.schedulingPolicy = cluster.SCHED_RR;
  }

  async start(): Promise<void> {
    // Workers that follow others must listen where those did, also when none of them is left.
    const { plain, tls } = planDataPorts(this.#options.settings);
    const planned = [plain, tls].filter(port => port !== undefined);
    this.ports = Object.fromEntries(
      await Promise.all(
        planned.map(async at => [at.setting, at.port === 0 ? await freePort(at) : at.port] as const),
      ),
    );
    const [first, ...others] = this.#places;
    if (first !== undefined) await this.#startAt(first);
    await Promise.all(others.map(place => this.#startAt(place)));
  }

  async ping(): Promise<void> {
    await Promise.all(
      this.#places.map(async ({ index, worker, isServing }) => {
        if (worker === undefined || !isServing) throw new Error(`worker ${index} is starting`);
        const answer = await this.#ask(worker, 'ping');
        if (answer.tell === 'pong' && answer.reason !== undefined) throw new Error(answer.reason);
      }),
    );
  }

  async close(): Promise<void> {
    this.#stopping.abort();
    await Promise.all(
      this.#places.map(async ({ worker, isServing }) => {
        if (worker === undefined) return;
        const gone = new Promise<void>(resolve => worker.once('exit', () => resolve()));
        if (isServing) send(worker, { ask: 'stop' });
        // One that is starting hears nothing yet, and has acknowledged nothing.
        else worker.process.kill('SIGKILL');
        await gone;
      }),
    );
  }

  /** Resolves when the worker listens. Rejects when it cannot start; it has ended then. */
  async #startAt(place: Place): Promise<void> {
    const { count, settings, env, log } = this.#options;
    const start: WorkerStart = { index: place.index, count, ports: this.ports };
    const worker = cluster.fork({
      ...env,
      UV_THREADPOOL_SIZE: String(settings.UV_THREADPOOL_SIZE),
      [WORKER_VARIABLE]: JSON.stringify(start),
    });
    place.worker = worker;
    const began = performance.now();
    const listening = new Promise<void>((resolve, reject) => {
      let line: string | undefined;
      worker.on('message', (message: FromWorker) => {
        if (message.tell === 'listening') resolve();
        else if (message.tell === 'failed') line = message.line;
        else {
          if (message.tell === 'metrics') place.told = message.metrics;
          this.#awaited.get(message.id)?.(message);
        }
      });
      worker.on('error', err => log.error({ err, worker: place.index }, 'a worker cannot be reached'));
      worker.once('exit', (code, signal) => {
        reject(
          line === undefined
            ? new Error(`worker ${place.index} ended with ${signal || code}`)
            : new StartError(line),
        );
        place.worker = undefined;
        this.#keepCounted(place);
        if (!place.isServing || this.#isStopping) return;
        place.isServing = false;
        log.error({ worker: place.index, code, signal }, 'a worker has died, another takes its place');
        place.deaths = performance.now() - began < STEADY_MS ? place.deaths + 1 : 0;
        void this.#replace(place);
      });
    });
    await listening;
    place.isServing = true;
  }

  async #replace(place: Place): Promise<void> {
    for (;;) {
      const pause = RESTART_MS[Math.min(Math.max(0, place.deaths - 1), RESTART_MS.length - 1)] ?? 0;
      await sleep(pause, this.#stopping.signal);
      if (this.#isStopping) return;
      try {
        await this.#startAt(place);
        return;
      } catch (err) {
        place.deaths += 1;
        this.#options.log.error({ err, worker: place.index }, 'a worker cannot be started again yet');
      }
    }
  }

  get #isStopping(): boolean {
    return this.#stopping.signal.aborted;
  }

  #keepCounted(place: Place): void {
    const counted = place.told?.filter(({ type }) => COUNTED.includes(String(type))) ?? [];
    place.told = undefined;
    if (counted.length === 0) return;
    this.#countedByDead = this.#countedByDead.then(before =>
      AggregatorRegistry.aggregate([before, counted]).getMetricsAsJSON(),
    );
  }

  async #collectMetrics(): Promise<Registry> {
    const own = await this.#options.registry.getMetricsAsJSON();
    // Of one that does not answer, or dies meanwhile, what it told before counts.
    const serving = this.#places.flatMap(({ worker, isServing }) => (isServing && worker ? [worker] : []));
    await Promise.allSettled(serving.map(worker => this.#ask(worker, 'metrics')));
    const told = this.#places.flatMap(place => (place.told === undefined ? [] : [place.told]));
    return AggregatorRegistry.aggregate([own, ...told, await this.#countedByDead]);
  }

  async #ask(worker: Worker, ask: 'ping' | 'metrics'): Promise<Answer> {
    const id = (this.#nextId += 1);
    const answer = new Promise<Answer>(resolve => this.#awaited.set(id, resolve));
    try {
      send(worker, { ask, id });
      return await withDeadline(answer, ANSWER_MS, 'the answer of a worker');
    } finally {
      this.#awaited.delete(id);
    }
  }
}

/** A port that is free at the moment, of the system's choice. */
async function freePort({ setting, address }: PlannedPort): Promise<number> {
  const server = net.createServer();
  const port = await listen(server, setting, 0, address);
  await new Promise(resolve => server.close(resolve));
  return port;
}

/** A worker that has just died learns nothing; its end is seen elsewhere. */
function send(worker: Worker, message: ToWorker): void {
  if (worker.isConnected()) worker.send(message, () => undefined);
}
