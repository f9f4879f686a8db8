import assert from 'node:assert/strict';
import { readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import test from 'node:test';
import { temporaryFolder } from '@zenko-modules/common/testing/temporary-folder';
import { closeLevel, openLevel, writeBatch } from '../level-calls.js';
import { JsonDown } from './json-down.js';

async function storeWithEntries(folder: string): Promise<JsonDown> {
  const store = new JsonDown(folder);
  await openLevel(store);
  await writeBatch(store, [
    { type: 'put', key: 'müller\0x', value: '{"a":1}' },
    { type: 'put', key: Buffer.from([0xff, 0x00]), value: 'line\nbreak' },
  ]);
  await writeBatch(store, [{ type: 'put', key: 'b', value: '' }]);
  await writeBatch(store, [{ type: 'del', key: 'b' }]);
  return store;
}

test('what is stored can be read: an entry a line, and the journal a batch a line', async t => {
  const folder = path.join(await temporaryFolder(t), 'store');
  const store = await storeWithEntries(folder);
  const journal = await readFile(path.join(folder, 'journal-000001.jsonl'), 'utf8');
  assert.deepEqual(
    journal
      .trimEnd()
      .split('\n')
      .slice(1)
      .map(line => line.replace(/^\{"crc":"[0-9a-f]{8}",/, '{')),
    [
      '{"batch":1,"operations":[["put","müller\\u0000x","{\\"a\\":1}"],["put",{"hex":"ff00"},"line\\nbreak"]]}',
      '{"batch":2,"operations":[["put","b",""]]}',
      '{"batch":3,"operations":[["del","b"]]}',
    ],
  );
  await closeLevel(store);
  const snapshot = await readFile(path.join(folder, 'data.json'), 'utf8');
  assert.deepEqual(
    snapshot
      .split('\n')
      .filter(line => line.startsWith('    '))
      .map(line => line.replace(/"[0-9a-f]{8}",/, '')),
    ['    ["müller\\u0000x","{\\"a\\":1}"],', '    [{"hex":"ff00"},"line\\nbreak"]'],
  );
  const whole = JSON.parse(snapshot) as { lastBatch: number; entries: unknown[]; count: number };
  assert.equal(whole.lastBatch, 3);
  assert.equal(whole.count, whole.entries.length);
});

test('a format that this version does not know is refused by its name', async t => {
  const folder = path.join(await temporaryFolder(t), 'store');
  await closeLevel(await storeWithEntries(folder));
  const file = path.join(folder, 'data.json');
  await writeFile(file, (await readFile(file, 'utf8')).replace('jsondown 1', 'jsondown 2'));
  await assert.rejects(openLevel(new JsonDown(folder)), {
    code: 'LEVEL_CORRUPT',
    message: /data\.json, line 2 \(byte 2\): the format is not "jsondown 1"/,
  });
});
