/** Streams inside the results of calls: alone, or as members of an object. */
import { randomUUID } from 'node:crypto';
import { StreamResult } from './service.js';
import type { StreamReference } from './wire.js';

export interface ReferencedStream {
  readonly reference: StreamReference;
  readonly source: StreamResult;
}

/** The result as it is sent, and the streams that its references stand for. */
export function withReferences(result: unknown): { sent: unknown; streams: readonly ReferencedStream[] } {
  const streams: ReferencedStream[] = [];
  const refer = (source: StreamResult): StreamReference => {
    const reference: StreamReference = { $streamId: randomUUID(), readable: true, writable: false };
    streams.push({ reference, source });
    return reference;
  };
  if (result instanceof StreamResult) return { sent: refer(result), streams };
  if (streamsOf(result).length === 0) return { sent: result, streams };
  const members = Object.entries(result as Record<string, unknown>);
  const sent = Object.fromEntries(
    members.map(([key, member]) => [key, member instanceof StreamResult ? refer(member) : member]),
  );
  return { sent, streams };
}

/** Frees the iterators of a result that nobody will read. */
export function discardStreams(result: unknown): void {
  for (const { items } of streamsOf(result)) {
    // An iterator that fails to end has nobody left to be told.
    items.return?.().catch(() => undefined);
  }
}

function streamsOf(result: unknown): StreamResult[] {
  if (result instanceof StreamResult) return [result];
  if (typeof result !== 'object' || result === null) return [];
  return Object.values(result).filter(member => member instanceof StreamResult);
}
