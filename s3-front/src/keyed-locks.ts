/** Locks by name, held by one writer or by several readers, granted in the order they were asked for. */
import { CatalogueError } from '@zenko-modules/common/errors';

interface Waiting {
  readonly exclusive: boolean;
  readonly grant: () => void;
}

interface Lock {
  /** Holders now: -1 for one writer. */
  held: number;
  readonly queue: Waiting[];
}

export class KeyedLocks {
  readonly #locks = new Map<string, Lock>();
  readonly #mostMs: number;

  /** @param mostMs that anybody waits: work takes its time where a module is away, and that of those before adds up */
  constructor(mostMs: number) {
    this.#mostMs = mostMs;
  }

  /** Runs `work` while no exclusive work of this name runs. @throws CatalogueError ServiceUnavailable when it has waited for too long */
  shared<T>(name: string, work: () => Promise<T>): Promise<T> {
    return this.#run(name, false, work);
  }

  /** Runs `work` while no other work of this name runs. @throws CatalogueError ServiceUnavailable when it has waited for too long */
  exclusive<T>(name: string, work: () => Promise<T>): Promise<T> {
    return this.#run(name, true, work);
  }

  /** Names that are held or waited for. */
  get size(): number {
    return this.#locks.size;
  }

  async #run<T>(name: string, exclusive: boolean, work: () => Promise<T>): Promise<T> {
    const lock = this.#locks.get(name) ?? { held: 0, queue: [] };
    this.#locks.set(name, lock);
    await granted(lock, exclusive, this.#mostMs);
    try {
      return await work();
    } finally {
      lock.held = exclusive ? 0 : lock.held - 1;
      grantNext(lock);
      if (lock.held === 0 && lock.queue.length === 0) this.#locks.delete(name);
    }
  }
}

function granted(lock: Lock, exclusive: boolean, mostMs: number): Promise<void> {
  return new Promise((resolve, reject) => {
    const giveUp = (): void => {
      lock.queue.splice(lock.queue.indexOf(waiting), 1);
      // Those behind it may have waited for it alone.
      grantNext(lock);
      reject(new CatalogueError('ServiceUnavailable', `others had not finished after ${mostMs} ms`));
    };
    const timer = setTimeout(giveUp, mostMs);
    const waiting = {
      exclusive,
      grant: () => {
        clearTimeout(timer);
        resolve();
      },
    };
    lock.queue.push(waiting);
    grantNext(lock);
  });
}

function grantNext(lock: Lock): void {
  for (let next = lock.queue[0]; next; next = lock.queue[0]) {
    if (next.exclusive ? lock.held !== 0 : lock.held < 0) return;
    lock.queue.shift();
    lock.held = next.exclusive ? -1 : lock.held + 1;
    next.grant();
  }
}
