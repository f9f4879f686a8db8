import { readdir } from 'node:fs/promises';
import path from 'node:path';
import test from 'node:test';
import { temporaryFolder } from '@zenko-modules/common/testing/temporary-folder';
import { killAgainAndAgain } from './testing/crash-scenario.js';

const ROUNDS = Number(process.env.CRASH_KILLS ?? 16);

test('killed again and again between many batches, it holds a whole number of them, and all that were acknowledged', async t => {
  const folder = path.join(await temporaryFolder(t), 'store');
  let midSnapshot = 0;
  const batches = await killAgainAndAgain(t, {
    module: new URL('testing/opener.js', import.meta.url).href,
    options: folder,
    rounds: ROUNDS,
    afterKill: async () => {
      const names = await readdir(folder);
      const journals = names.filter(name => name.startsWith('journal')).length;
      if (journals > 1 || names.some(name => name.endsWith('.tmp'))) midSnapshot += 1;
    },
  });
  t.diagnostic(`${batches} batches, ${midSnapshot} of ${ROUNDS} kills while a snapshot was written`);
});
