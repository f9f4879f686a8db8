/** Segments with flipped bits: no message is lost without a word, and none but the damaged one. */
import assert from 'node:assert/strict';
import { readFile, truncate, writeFile } from 'node:fs/promises';
import test from 'node:test';
import { silentLogger } from '@zenko-modules/common/logger';
import { temporaryFolder } from '@zenko-modules/common/testing/temporary-folder';
import { pino } from 'pino';
import { segmentPath, START } from './segments.js';
import { TopicReader } from './topic-reader.js';
import { TopicWriter } from './topic-writer.js';

const VALUES = ['first', 'second', 'third'];

/** What a reader gives, and says, that looks `looks` times more after it has come to the end. */
async function readAll(folder: string, looks = 0): Promise<{ values: string[]; said: string[] }> {
  const [values, said]: [string[], string[]] = [[], []];
  const log = pino({ level: 'warn' }, { write: line => void said.push(line) });
  const reader = new TopicReader(folder, START, log);
  try {
    for (let left = looks + 1; left > 0;) {
      const records = await reader.read();
      values.push(...records.map(({ record }) => record.value));
      if (records.length === 0) left--;
    }
    return { values, said };
  } finally {
    await reader.close();
  }
}

async function segmentOf(folder: string, values: readonly string[]): Promise<string> {
  const writer = new TopicWriter(folder, 2 ** 20, silentLogger(), () => undefined);
  for (const value of values) await writer.append([{ key: 'k', value }]);
  await writer.close();
  return segmentPath(folder, 1);
}

test('a flipped bit anywhere in a segment costs one message at most, and that is said', async t => {
  const folder = await temporaryFolder(t);
  const file = await segmentOf(folder, VALUES);
  const content = await readFile(file);
  let whole = 0;
  for (let at = 0; at < content.length; at++) {
    const damaged = Buffer.from(content);
    damaged.writeUInt8(content.readUInt8(at) ^ (1 << (at % 8)), at);
    await writeFile(file, damaged);
    const { values, said } = await readAll(folder);
    const missing = VALUES.filter(value => !values.includes(value));
    assert.deepEqual(
      values,
      VALUES.filter(value => !missing.includes(value)),
      `byte ${at}`,
    );
    assert.ok(missing.length <= 1, `byte ${at}: ${missing.join(' ')} did not come`);
    assert.equal(
      said.some(line => line.includes('skipped a damaged record')),
      missing.length > 0,
      `byte ${at}`,
    );
    if (missing.length === 0) whole++;
  }
  assert.equal(whole, VALUES.length, 'the ends of the lines cost nothing');
});

test('an end that was written whole and is damaged is said at once, one that a crash left when nothing follows', async t => {
  const folder = await temporaryFolder(t);
  const file = await segmentOf(folder, VALUES);
  const content = await readFile(file);
  const damaged = Buffer.from(content);
  damaged.write('??', content.length - 2);
  await writeFile(file, damaged);
  const atOnce = await readAll(folder);
  assert.deepEqual(atOnce.values, ['first', 'second']);
  assert.match(atOnce.said.join(), /skipped a damaged record at the end/);

  await writeFile(file, content);
  await truncate(file, content.length - 1);
  assert.deepEqual(await readAll(folder), { values: ['first', 'second'], said: [] });
  const { values, said } = await readAll(folder, 3);
  assert.deepEqual(values, ['first', 'second']);
  assert.equal(said.length, 1);
  assert.match(said.join(), /ends within a record/);
});
