/** Flipped bits in the embedded queue's segments and offsets. */
import { silentLogger } from '@zenko-modules/common/logger';
import { sleep } from '@zenko-modules/common/deadline';
import { temporaryFolder } from '@zenko-modules/common/testing/temporary-folder';
import { EmbeddedQueue } from '@zenko-modules/extensions/framework/queue/embedded/embedded-queue';
import { damagedFiles } from '../damaged-files.js';
import { Finding, type Target } from '../target.js';

const TOPIC = 'fuzz';
const MESSAGES = 80;
const LOOK_MS = 20;
/** Nothing new for so long: all has come that will. */
const SILENCE_LOOKS = 40;

export const queueFiles: Target = {
  name: 'queue-files',
  about: "flipped bits in the embedded queue's segments",
  open: async (owner, options) => {
    const template = await temporaryFolder(owner);
    const queue = new EmbeddedQueue({ folder: template, segmentBytes: 2000, log: silentLogger() });
    const published: string[] = [];
    for (let number = 0; number < MESSAGES; number += 1) {
      const message = { key: `k${number % 5}`, value: JSON.stringify({ number, text: 'x'.repeat(number) }) };
      await queue.publish(TOPIC, [message]);
      published.push(JSON.stringify([message.key, message.value]));
    }
    await queue.close();
    return damagedFiles(
      owner,
      template,
      {
        entry: 'test/dist/fuzz/queue-reader.js',
        args: folder => [folder, TOPIC],
        env: () => ({}),
        isDamaged: () => true,
        verify: async (_, output) => {
          await settled(output);
          const got = [...output().matchAll(/^message (.*)$/gm)].map(([, text = '']) => text);
          const strange = got.filter(text => !published.includes(text));
          if (strange.length > 0) throw new Finding(`it gives what was not published: ${strange.join(' ')}`);
          if (JSON.stringify(got) !== JSON.stringify(published.filter(text => got.includes(text)))) {
            throw new Finding('it gives messages twice, or in another order');
          }
          const isTold = /damaged/.test(output());
          if (got.length < published.length && !isTold) {
            throw new Finding(`${published.length - got.length} messages are missing without a word`);
          }
        },
      },
      options,
    );
  },
};

async function settled(output: () => string): Promise<void> {
  let length = -1;
  for (let looks = 0; looks < SILENCE_LOOKS; looks += 1) {
    if (output().length !== length) looks = 0;
    length = output().length;
    await sleep(LOOK_MS);
  }
}
