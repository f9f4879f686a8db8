/** Four processors of one group are replaced one after the other, while messages come all the time. */
import assert from 'node:assert/strict';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import test, { type TestContext } from 'node:test';
import { sleep } from '@zenko-modules/common/deadline';
import { silentLogger } from '@zenko-modules/common/logger';
import { readSettings } from '@zenko-modules/common/settings';
import { temporaryFolder } from '@zenko-modules/common/testing/temporary-folder';
import { eventually } from '../../../testing/eventually.js';
import { kafkaMissing } from '../../../testing/kafka-broker.js';
import { sharedKafka } from '../../../testing/shared-kafka.js';
import { startProcessor } from '../../../testing/stack.js';
import { QUEUE_SETTINGS } from '../../extension-settings.js';
import { openQueue } from '../open-queue.js';

const PROCESSORS = 4;
const KEYS = Array.from({ length: 24 }, (_, number) => `key-${number}`);
const TOPIC = 'rolling';
/** Between two messages of each key. */
const PAUSE_MS = 30;

/** A line of the trace: a processor has begun or ended with a message. */
interface Step {
  readonly pid: string;
  readonly step: string;
  readonly key: string;
  readonly number: number;
}

async function recorder(t: TestContext): Promise<{ data: string; steps: () => Promise<Step[]> }> {
  const data = await temporaryFolder(t);
  const trace = path.join(data, 'trace');
  await writeFile(trace, '');
  const folder = path.join(data, 'own', 'recorder');
  await mkdir(folder, { recursive: true });
  await writeFile(
    path.join(folder, 'index.mjs'),
    `import { appendFileSync } from 'node:fs';
     const say = (step, { key, value }) =>
       appendFileSync(${JSON.stringify(trace)}, [process.pid, step, key, value].join(' ') + '\\n');
     export default () => ({
       name: 'recorder', version: '1', configValidator: () => ({ topic: '${TOPIC}' }),
       queueProcessor: class {
         async processEntry(message) {
           say('begin', message);
           await new Promise(resolve => setTimeout(resolve, 5));
           say('end', message);
         }
       },
     });`,
  );
  const steps = async (): Promise<Step[]> =>
    (await readFile(trace, 'utf8'))
      .split('\n')
      .filter(Boolean)
      .map(line => {
        const [pid = '', step = '', key = '', number] = line.split(' ');
        return { pid, step, key, number: Number(number) };
      });
  return { data, steps };
}

/** That no two messages of the key were worked on at once, none came before its time, and none was left out. */
function checkKey(key: string, steps: readonly Step[], last: number): void {
  let open: Step | undefined;
  let done = 0;
  for (const step of steps.filter(one => one.key === key)) {
    const what = `${key} ${step.number}`;
    if (step.step === 'begin') {
      assert.equal(open, undefined, `${what} began while another message of its key was worked on`);
      // What was not committed comes again, and then in order, too.
      assert.ok(step.number <= done + 1, `${what} came after ${done}`);
      open = step;
    } else {
      assert.deepEqual(open, { ...step, step: 'begin' }, `${what} ended and had not begun`);
      open = undefined;
      done = Math.max(done, step.number);
    }
  }
  assert.equal(done, last, `${key} is done to the end`);
}

test(
  'four processors that are replaced one by one under load handle each message, and those of a key in order',
  { skip: kafkaMissing, timeout: 300_000 },
  async t => {
    const { hosts } = await sharedKafka();
    const { data, steps } = await recorder(t);
    const settings = readSettings(QUEUE_SETTINGS, { KAFKA_HOSTS: hosts, KAFKA_TOPIC_PARTITIONS: '8' });
    const queue = await openQueue(settings, settings.KAFKA_HOSTS, silentLogger());
    t.after(() => queue.close());
    let last = 0;
    const publish = (): Promise<unknown> => {
      last += 1;
      return queue.publish(
        TOPIC,
        KEYS.map(key => ({ key, value: String(last) })),
      );
    };
    const workedOn = async (pid: number): Promise<boolean> =>
      (await steps()).some(step => step.pid === String(pid));
    await publish();
    const start = () =>
      startProcessor(t, data, 'recorder', {
        KAFKA_HOSTS: hosts,
        EXTENSIONS_PATH: path.join(data, 'own'),
        EXTENSIONS: 'recorder',
        LOG_LEVEL: 'warn',
      });
    const processors = await Promise.all(Array.from({ length: PROCESSORS }, start));

    const load = { going: true };
    const publishing = (async () => {
      while (load.going) {
        await publish();
        await sleep(PAUSE_MS);
      }
    })();
    try {
      for (const { pid } of processors)
        await eventually(() => workedOn(pid), `${pid} has a part of the work`);
      for (const [index, former] of processors.entries()) {
        assert.deepEqual(await former.kill(), { code: 0, signal: null }, former.output());
        const next = (processors[index] = await start());
        await eventually(
          () => workedOn(next.pid),
          `the one in place of ${former.pid} has a part of the work`,
        );
      }
    } finally {
      load.going = false;
      await publishing;
    }
    await eventually(async () => {
      const all = await steps();
      return KEYS.every(key =>
        all.some(({ step, key: of, number }) => of === key && step === 'end' && number === last),
      );
    }, 'all is done');
    const all = await steps();
    for (const key of KEYS) checkKey(key, all, last);
    const handled = all.filter(({ step }) => step === 'end').length;
    t.diagnostic(`${last * KEYS.length} messages, of which ${handled - last * KEYS.length} came again`);
  },
);
