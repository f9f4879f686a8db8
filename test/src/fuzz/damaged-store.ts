/** Bits flipped in the files of a daemon that stores things by keys. */
import { startDaemon } from '@zenko-modules/common/testing/daemon-process';
import { temporaryFolder } from '@zenko-modules/common/testing/temporary-folder';
import { damagedFiles } from './damaged-files.js';
import type { Target } from './target.js';
import { entryOf } from './watched-daemon.js';

type Ports = Readonly<Record<string, number>>;

/** A client of the daemon. */
export interface StoreClient<V> {
  /** Stores the thing of this number. Resolves with its key and its value when it is acknowledged. */
  store(run: number, number: number): Promise<readonly [key: string, value: V]>;
  /** See `DamageSubject.verify`. */
  verify(stored: ReadonlyMap<string, V>): Promise<void>;
  close(): void;
}

export interface DamagedStore<V> extends Pick<Target, 'name' | 'about'> {
  readonly entry: string;
  readonly env: (folder: string) => Readonly<Record<string, string>>;
  readonly isDamaged: (file: string) => boolean;
  /** Each run stores so many things, goes by its signal, and leaves the next one what it left. */
  readonly runs: readonly { readonly count: number; readonly end: NodeJS.Signals }[];
  readonly connect: (ports: Ports) => StoreClient<V>;
}

export function damagedStore<V>({ name, about, runs, connect, ...subject }: DamagedStore<V>): Target {
  return {
    name,
    about,
    open: async (owner, options) => {
      const template = await temporaryFolder(owner);
      const stored = new Map<string, V>();
      for (const [run, { count, end }] of runs.entries()) {
        const daemon = await startDaemon(owner, {
          entry: entryOf(subject.entry),
          env: subject.env(template),
        });
        const client = connect(daemon.ports);
        for (let number = 0; number < count; number += 1) stored.set(...(await client.store(run, number)));
        client.close();
        await daemon.kill(end);
      }
      const verify = async (ports: Ports): Promise<void> => {
        const client = connect(ports);
        try {
          await client.verify(stored);
        } finally {
          client.close();
        }
      };
      return damagedFiles(owner, template, { ...subject, verify }, options);
    },
  };
}
