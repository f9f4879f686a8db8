/** Two populators of one name on two machines: one works, and the other goes on where it has come to. */
import assert from 'node:assert/strict';
import path from 'node:path';
import test, { type TestContext } from 'node:test';
import type { DaemonProcess } from '@zenko-modules/common/testing/daemon-process';
import { temporaryFolder } from '@zenko-modules/common/testing/temporary-folder';
import { eventually } from '../../testing/eventually.js';
import { followTopic } from '../../testing/follow-topic.js';
import { writeFilter } from '../../testing/own-filter.js';
import { putEntry, startMetadata, startPopulator } from '../../testing/stack.js';

/** A populator with folder and queue of its own, and what it has published: numbers, in their order. */
interface Own {
  readonly data: string;
  readonly found: number[];
  readonly start: () => Promise<DaemonProcess>;
}

async function newPopulator(t: TestContext, metadataPort: number): Promise<Own> {
  const data = await temporaryFolder(t);
  const own = path.join(data, 'own');
  await writeFilter(own, 'recorder', `this.publish('all', bucket + '/' + key, value);`);
  const found = await followTopic(t, path.join(data, 'extensions', 'queue'), 'all', Number);
  const env = {
    EXTENSIONS_PATH: own,
    POPULATOR_OFFSETS: 'metadata',
    POPULATOR_BATCH_RECORDS: '10',
    LOG_LEVEL: 'info',
  };
  return { data, found, start: () => startPopulator(t, data, metadataPort, env) };
}

async function roleOf({ ports }: DaemonProcess): Promise<string | undefined> {
  const answer = await fetch(`http://127.0.0.1:${ports.POPULATOR_PROBE_PORT ?? 0}/_/ready`);
  const { role } = (await answer.json()) as { role?: string };
  return role;
}

test('a populator that ends, is killed or frozen is followed by the other, from the offset that it had', async t => {
  const data = await temporaryFolder(t);
  const metadata = await startMetadata(t, data);
  const [first, second] = [await newPopulator(t, metadata.port), await newPopulator(t, metadata.port)];
  let last = 0;
  const write = async (count: number): Promise<void> => {
    for (let i = 0; i < count; i += 1) await putEntry(metadata, 'b', 'k', String((last += 1)));
  };
  const wrote = (by: Own): Promise<void> =>
    eventually(() => by.found.includes(last), `${last} came; ${by.found.length} have`);

  let working = { own: first, daemon: await first.start() };
  await write(100);
  await wrote(first);
  let waiting = { own: second, daemon: await second.start() };
  await eventually(async () => (await roleOf(waiting.daemon)) === 'stand-by', 'the second stands by');
  assert.equal(await roleOf(working.daemon), 'working');

  const fates = ['SIGTERM', 'SIGKILL', 'SIGSTOP', 'SIGKILL'] as const;
  for (const fate of fates) {
    await write(50);
    await wrote(working.own);
    const [before, from] = [waiting.own.found.length, last];
    process.kill(working.daemon.pid, fate);
    await write(50);
    await wrote(waiting.own);
    // What was published and not saved comes again: some batches at most.
    const again = waiting.own.found.slice(before).filter(number => number <= from);
    assert.ok(again.length <= 30, `${fate}: ${again.length} were published again`);
    const former = working;
    working = waiting;
    if (fate === 'SIGSTOP') process.kill(former.daemon.pid, 'SIGCONT');
    else await former.daemon.exited;
    const daemon = fate === 'SIGSTOP' ? former.daemon : await former.own.start();
    waiting = { own: former.own, daemon };
    await eventually(async () => (await roleOf(daemon)) === 'stand-by', `it stands by after ${fate}`);
  }
  await write(50);
  await wrote(working.own);
  assert.ok(!waiting.own.found.includes(last), 'only one of them works');
  const all = new Set([...first.found, ...second.found]);
  for (let number = 1; number <= last; number += 1) assert.ok(all.has(number), `${number} was published`);

  // One of them goes on after a restart of the metadata module: the one that worked, if that did not take too long.
  await metadata.kill('SIGKILL');
  await metadata.start();
  const [worked, waited, from] = [working.own.found.length, waiting.own.found.length, last];
  await write(20);
  await eventually(
    () => first.found.includes(last) || second.found.includes(last),
    `${last} came; ${first.found.length} and ${second.found.length} have`,
  );
  const since = [...working.own.found.slice(worked), ...waiting.own.found.slice(waited)];
  for (let number = from + 1; number <= last; number += 1)
    assert.ok(since.includes(number), `${number} was published`);
  assert.ok(since.length <= 20 + 30, `${since.length - 20} were published again`);
});
