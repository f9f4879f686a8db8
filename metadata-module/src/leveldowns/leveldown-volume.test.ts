import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import path from 'node:path';
import test from 'node:test';
import { temporaryFolder } from '@zenko-modules/common/testing/temporary-folder';
import { streamIdOf, WireClient } from '../testing/socket-io-clients.js';
import { startModule } from '../testing/start-module.js';
import { closeLevel, openLevel, readEntries, writeBatch } from './level-calls.js';
import { leveldown } from './leveldown-binding.js';

const UUID = '0f3b3c1e-5a4e-4d3c-9b1a-2f6f7b1d9c55';
const put = (key: string, value: string) => ({ type: 'put' as const, key, value });

test("a volume of CloudServer's own daemon opens in place, and its log goes on", async t => {
  const METADATA_PATH = await temporaryFolder(t);
  const theirs = leveldown(path.join(METADATA_PATH, 'rootDB'));
  await openLevel(theirs);
  const timestamp = '2026-11-21T21:29:03.672Z';
  const record = JSON.stringify({ type: 'put', db: 'alpha', key: 'k', value: '{"n":1}', timestamp });
  await writeBatch(theirs, [
    put('!__metastore!alpha', '{"name":"alpha"}'),
    put('!alpha!k', '{"n":1}'),
    put('!alpha!ключ', '{"n":2}'),
    put('!..recordLogs#s3-recordlog!0000000000000041', record),
    put('!..recordLogs#s3-recordlog!0000000000000042', record),
  ]);
  await closeLevel(theirs);
  await writeFile(path.join(METADATA_PATH, 'uuid'), UUID);

  const module = await startModule(t, { METADATA_PATH });
  const client = await WireClient.connect(t, module.metadataUrl);
  assert.equal((await client.call('getUUID', { rpcArgs: [] })).result, UUID);
  const listing = await client.call('createReadStream', { rpcArgs: [{}], subLevel: ['alpha'] });
  assert.deepEqual(await client.items(streamIdOf(listing.result)), [
    { key: 'k', value: '{"n":1}' },
    { key: 'ключ', value: '{"n":2}' },
  ]);
  await client.call('put', { rpcArgs: ['new', '{"n":3}', {}], subLevel: ['alpha'] });
  const log = await WireClient.connect(t, module.recordLogUrl);
  const { result } = await log.call('readRecords', { rpcArgs: [{ startSeq: 42 }] });
  assert.deepEqual((result as { info: unknown }).info, { start: 42, end: 43 });
  const [old, fresh] = (await log.items(streamIdOf(result))) as { timestamp: string; entries: unknown[] }[];
  assert.deepEqual(old, { timestamp, db: 'alpha', entries: [{ type: 'put', key: 'k', value: '{"n":1}' }] });
  assert.deepEqual(fresh?.entries, [{ type: 'put', key: 'new', value: '{"n":3}' }]);
  await module.close();

  const again = leveldown(path.join(METADATA_PATH, 'rootDB'));
  await openLevel(again);
  const keys: string[] = [];
  for await (const { key } of readEntries(again)) keys.push(key.toString());
  await closeLevel(again);
  assert.deepEqual(keys, [
    '!..recordLogs#s3-recordlog!0000000000000041',
    '!..recordLogs#s3-recordlog!0000000000000042',
    '!..recordLogs#s3-recordlog!0000000000000043',
    '!__metastore!alpha',
    '!alpha!k',
    '!alpha!new',
    '!alpha!ключ',
  ]);
});
