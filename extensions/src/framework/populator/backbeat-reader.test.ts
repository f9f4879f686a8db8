/**
 * Reads the record log as Backbeat's own reader does: with a plain socket.io client, offsets as strings, and
 * `info.start` + the number of items as the next offset.
 */
import assert from 'node:assert/strict';
import test, { type TestContext } from 'node:test';
import { temporaryFolder } from '@zenko-modules/common/testing/temporary-folder';
import { RECORD_LOG_NAMESPACE } from '@zenko-modules/rpc/wire';
import { io, type Socket } from 'socket.io-client';
import { type MetadataProcess, putEntry, startMetadata } from '../../testing/stack.js';

interface Item {
  readonly db: string;
  readonly timestamp: string;
  readonly entries: readonly { readonly type: string; readonly key: string; readonly value?: string }[];
}
interface Read {
  readonly info: { readonly start: number | null; readonly end: number | null };
  readonly items: readonly Item[];
}

class BackbeatReader {
  readonly #socket: Socket;

  constructor(t: TestContext, port: number) {
    this.#socket = io(`http://127.0.0.1:${port}${RECORD_LOG_NAMESPACE}`, { forceNew: true });
    t.after(() => this.#socket.disconnect());
  }

  read(params: object): Promise<Read> {
    const socket = this.#socket;
    return new Promise((resolve, reject) => {
      const args = { rpcArgs: [params], reqUids: 'test', subLevel: [], logName: 's3-recordlog' };
      const items: Item[] = [];
      const ended = new Set<string>();
      const state: { id?: string; info?: Read['info'] } = {};
      const settle = (): void => {
        if (state.id === undefined || !ended.has(state.id) || !state.info) return;
        socket.off('stream-data', onData).off('stream-end', onEnd);
        resolve({ info: state.info, items });
      };
      const onData = ({ data }: { data: Item[] }, ack: (err: null) => void): void => {
        items.push(...data);
        ack(null);
      };
      const onEnd = ({ streamId }: { streamId: string }, ack?: (err: null) => void): void => {
        ended.add(streamId);
        ack?.(null);
        settle();
      };
      socket.on('stream-data', onData).on('stream-end', onEnd);
      socket.emit(
        'call',
        'readRecords',
        args,
        (err: unknown, result: { info: Read['info']; log: { $streamId: string } }) => {
          if (err) {
            reject(new Error(JSON.stringify(err)));
            return;
          }
          state.id = result.log.$streamId;
          state.info = result.info;
          settle();
        },
      );
    });
  }
}

async function setUp(t: TestContext): Promise<{ metadata: MetadataProcess; reader: BackbeatReader }> {
  const metadata = await startMetadata(t, await temporaryFolder(t));
  return { metadata, reader: new BackbeatReader(t, metadata.port) };
}

test('an empty log has no start and no end', async t => {
  const { reader } = await setUp(t);
  for (const params of [{}, { startSeq: '1' }, { startSeq: 1, limit: 10 }]) {
    assert.deepEqual(await reader.read(params), { info: { start: null, end: null }, items: [] });
  }
});

test('offsets may be strings, limit counts items, and a start past the end is empty', async t => {
  const { metadata, reader } = await setUp(t);
  for (let i = 1; i <= 10; i++) await putEntry(metadata, 'b1', `k${i}`, `v${i}`);
  const { info, items } = await reader.read({ startSeq: '4', limit: 3 });
  assert.deepEqual(info, { start: 4, end: 6 });
  assert.deepEqual(
    items.map(({ entries }) => entries[0]?.key),
    ['k4', 'k5', 'k6'],
  );
  const { timestamp = '', ...first } = items[0] ?? {};
  assert.deepEqual(first, { db: 'b1', entries: [{ type: 'put', key: 'k4', value: 'v4' }] });
  assert.ok(Date.parse(timestamp) > 0);
  assert.deepEqual(await reader.read({ startSeq: '11' }), { info: { start: null, end: null }, items: [] });
  assert.deepEqual((await reader.read({ startSeq: '9', endSeq: '10' })).info, { start: 9, end: 10 });
});

test('read in steps while writes go on, every record comes once, in order', async t => {
  const { metadata, reader } = await setUp(t);
  const total = 600;
  const writing = (async () => {
    for (let i = 0; i < total; i += 20) {
      await Promise.all(Array.from({ length: 20 }, (_, j) => putEntry(metadata, 'b1', 'k', String(i + j))));
    }
  })();
  const values: string[] = [];
  let offset = 1;
  while (values.length < total) {
    const { info, items } = await reader.read({ startSeq: String(offset), limit: 37 });
    if (info.start === null) continue;
    assert.equal(info.start, offset);
    values.push(...items.map(({ entries }) => entries[0]?.value ?? ''));
    offset = info.start + items.length;
  }
  await writing;
  assert.deepEqual(
    [...values].sort((a, b) => Number(a) - Number(b)),
    Array.from({ length: total }, (_, i) => String(i)),
  );
  assert.equal(offset, total + 1);
});
