/** A daemon over a plug-in whose batches fail now and then, with clients that write and read all the while. */
import assert from 'node:assert/strict';
import { mkdir } from 'node:fs/promises';
import path from 'node:path';
import test from 'node:test';
import { fileURLToPath } from 'node:url';
import { sleep } from '@zenko-modules/common/deadline';
import { METADATA_NAMESPACE, RECORD_LOG_NAMESPACE } from '@zenko-modules/rpc/wire';
import { startDaemon } from '@zenko-modules/common/testing/daemon-process';
import { temporaryFolder } from '@zenko-modules/common/testing/temporary-folder';
import { clientOf, Load, readBucket, replay, Writer } from './testing/load.js';

const entry = fileURLToPath(new URL('./main.js', import.meta.url));
const METADATA_BACKEND = fileURLToPath(new URL('./testing/outside/failing-level.js', import.meta.url));
/** Writes that fail before the test ends. */
const FAILURES = 200;

test('clients of a daemon whose plug-in fails now and then get what is right, or an error, and it goes on', async t => {
  const DATA_DIR = await temporaryFolder(t);
  await mkdir(path.join(DATA_DIR, 'metadata'));
  const daemon = await startDaemon(t, {
    entry,
    env: {
      DATA_DIR,
      METADATA_BACKEND,
      FAILURE: 'now and then',
      METADATA_PORT: '0',
      METADATA_PROBE_PORT: '0',
    },
  });
  const [client, reader, follower] = [
    clientOf(daemon, METADATA_NAMESPACE),
    clientOf(daemon, METADATA_NAMESPACE),
    clientOf(daemon, RECORD_LOG_NAMESPACE),
  ];
  t.after(() => [client, reader, follower].forEach(one => one.close()));
  const writers = Array.from({ length: 8 }, (_, index) => new Writer(index));
  const [writing, reading] = [1, 2].map(() => new Load(t, 'ServiceUnavailable', 'InternalError')) as [
    Load,
    Load,
  ];
  const writes = Promise.all(writers.map(writer => writing.repeat(() => writer.write(client))));
  let listings = 0;
  const list = async (): Promise<void> => {
    await readBucket(reader, writers);
    listings += 1;
  };
  const reads = Promise.all([
    reading.repeat(list),
    reading.repeat(list),
    reading.repeat(() => replay(follower)),
  ]);
  const failed = Promise.all([writes, reads]).then(() => true);
  const isEnough = (): boolean => writing.failures >= FAILURES && reading.failures > 0 && listings > 0;
  while (!isEnough()) if (await Promise.race([sleep(20).then(() => false), failed])) break;
  writing.going = false;
  await Promise.race([writes, failed]);
  reading.going = false;
  const [, , logs] = await reads;
  // The last batch may have failed: the next write finds out what is stored.
  const last = new Writer(writers.length);
  const until = new Load(t, 'ServiceUnavailable', 'InternalError');
  await until.repeat(async () => {
    await last.write(client);
    until.going = false;
  });
  const stored = await readBucket(reader, [...writers, last]);
  assert.deepEqual(await replay(follower), new Map([...stored].sort()));
  assert.deepEqual(await daemon.kill('SIGTERM'), { code: 0, signal: null }, daemon.output());
  assert.ok(listings > 0, 'a listing beside the writers');
  assert.ok(reading.failures > 0, 'a reader that was cut short');
  t.diagnostic(
    `${writing.failures} writes and ${reading.failures} reads failed, ${listings} listings and ${logs} logs were whole`,
  );
});
