/** Several modules over one store, each with a network of its own to MongoDB. */
import type { TestContext } from 'node:test';
import { fileURLToPath } from 'node:url';
import { sleep } from '@zenko-modules/common/deadline';
import { RpcClient } from '@zenko-modules/rpc/client';
import { METADATA_NAMESPACE } from '@zenko-modules/rpc/wire';
import { type DaemonProcess, startDaemon } from '@zenko-modules/common/testing/daemon-process';
import { startTcpProxy, type TcpProxy } from '@zenko-modules/common/testing/tcp-proxy';
import { temporaryFolder } from '@zenko-modules/common/testing/temporary-folder';
import type { Place } from '../../leveldowns/mongodown/testing/databases.js';

const ENTRY = fileURLToPath(new URL('../../main.js', import.meta.url));
const DEADLINE_MS = 60_000;
const LOOK_EVERY_MS = 20;
const LOOK_MS = 2000;

/** What a module says of itself on its probe port. */
export interface Readiness {
  readonly status: string;
  readonly role?: string;
  readonly owner?: string;
  readonly reason?: string;
}

/** One module, which may be killed and started anew on the same ports. */
export class Module {
  readonly proxy: TcpProxy;
  readonly #t: Pick<TestContext, 'after'>;
  readonly #env: Readonly<Record<string, string>>;
  #daemon: DaemonProcess;

  private constructor(
    t: Pick<TestContext, 'after'>,
    proxy: TcpProxy,
    env: Readonly<Record<string, string>>,
    daemon: DaemonProcess,
  ) {
    this.#t = t;
    this.proxy = proxy;
    this.#env = { ...env, ...portsOf(daemon) };
    this.#daemon = daemon;
  }

  static async start(
    t: Pick<TestContext, 'after'>,
    { url, database }: Place,
    settings: Readonly<Record<string, string>> = {},
  ): Promise<Module> {
    const proxy = await startTcpProxy(t, Number(new URL(url).port));
    const env = {
      DATA_DIR: await temporaryFolder(t),
      METADATA_BACKEND: 'mongodown',
      METADATA_PORT: '0',
      METADATA_PROBE_PORT: '0',
      MONGODB_URL: `mongodb://127.0.0.1:${proxy.port}/?directConnection=true`,
      MONGODB_DATABASE: database,
      MONGODB_IN_USE: 'wait',
      ...settings,
    };
    return new Module(t, proxy, env, await startDaemon(t, { entry: ENTRY, env }));
  }

  /** Of the process that runs now. */
  get daemon(): DaemonProcess {
    return this.#daemon;
  }

  get address(): string {
    return `127.0.0.1:${this.#daemon.ports['METADATA_PORT'] ?? 0}`;
  }

  async restart(): Promise<void> {
    this.#daemon = await startDaemon(this.#t, { entry: ENTRY, env: this.#env });
  }

  signal(signal: NodeJS.Signals): void {
    process.kill(this.#daemon.pid, signal);
  }

  /** It is closed when the test ends. */
  client(namespace = METADATA_NAMESPACE, callTimeoutMs = 3000): RpcClient {
    const client = new RpcClient({ url: `http://${this.address}`, namespace, callTimeoutMs });
    this.#t.after(() => client.close());
    return client;
  }

  /** `undefined` while nobody answers. */
  async readiness(): Promise<Readiness | undefined> {
    const url = `http://127.0.0.1:${this.#daemon.ports['METADATA_PROBE_PORT'] ?? 0}/_/ready`;
    try {
      return (await (await fetch(url, { signal: AbortSignal.timeout(LOOK_MS) })).json()) as Readiness;
    } catch {
      return undefined;
    }
  }

  async until(role: string): Promise<void> {
    const deadline = performance.now() + DEADLINE_MS;
    for (;;) {
      const seen = await this.readiness();
      if (seen?.status === 'ready' && seen.role === role) return;
      if (performance.now() > deadline) {
        throw new Error(
          `${this.address} is no ${role} but ${JSON.stringify(seen)}:\n${this.#daemon.output()}`,
        );
      }
      await sleep(LOOK_EVERY_MS);
    }
  }
}

/** The one of `modules` that owns the store, as soon as one does. */
export async function ownerOf(modules: readonly Module[]): Promise<Module> {
  const deadline = performance.now() + DEADLINE_MS;
  for (;;) {
    const seen = await Promise.all(modules.map(module => module.readiness()));
    const owner = modules[seen.findIndex(each => each?.status === 'ready' && each.role === 'owner')];
    if (owner !== undefined) return owner;
    if (performance.now() > deadline) throw new Error(`nobody owns the store: ${JSON.stringify(seen)}`);
    await sleep(LOOK_EVERY_MS);
  }
}

function portsOf({ ports }: DaemonProcess): Record<string, string> {
  return Object.fromEntries(Object.entries(ports).map(([name, port]) => [name, String(port)]));
}
