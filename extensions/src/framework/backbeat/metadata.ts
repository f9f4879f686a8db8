/** What `getMetadata` of Backbeat's consumers and producers answers, as far as our queue knows it. */
import { withDeadline } from '@zenko-modules/common/deadline';
import type { BackbeatHost } from './host.js';

const DEFAULT_TIMEOUT_MS = 10_000;

export interface MetadataParams {
  readonly topic?: string;
  /** Milliseconds. */
  readonly timeout?: number;
}

export interface TopicMetadata {
  readonly topics: readonly {
    readonly name: string;
    readonly partitions: readonly { readonly id: number }[];
  }[];
}

export type Callback<T = void> = (err: Error | null, result?: T) => void;

export function answerMetadata(
  host: BackbeatHost,
  { topic, timeout = DEFAULT_TIMEOUT_MS }: MetadataParams,
  own: string | undefined,
  callback: Callback<TopicMetadata>,
): void {
  const name = topic ?? own;
  const ask = async (): Promise<TopicMetadata> => {
    if (name === undefined) return { topics: [] };
    const ids = await withDeadline(host.partitions(name), timeout, `the metadata of ${name}`);
    return { topics: [{ name, partitions: ids.map(id => ({ id })) }] };
  };
  settle(ask(), callback);
}

/** Calls `callback` once, and lets what it throws be nobody's rejection. */
export function settle<T>(work: Promise<T>, callback: Callback<T> | undefined): void {
  work.then(
    result => process.nextTick(() => callback?.(null, result)),
    (err: unknown) =>
      process.nextTick(() => callback?.(err instanceof Error ? err : new Error(String(err), { cause: err }))),
  );
}
