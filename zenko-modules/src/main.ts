#!/usr/bin/env node
/** `zenko-modules <verb>`: the verbs of the tools, and `start`. */
import type { AddVerb } from '@zenko-modules/tools/command/verb';
import { runMain } from '@zenko-modules/tools/command/run-main';
import { VERBS } from '@zenko-modules/tools/command/verbs';

const SUMMARY = 'runs every part in one terminal, on the embedded defaults, until Ctrl-C';

const addStart: AddVerb = program => {
  program
    .command('start')
    .summary(SUMMARY)
    .description(`${SUMMARY}. What can be set is an environment variable, such as DATA_DIR and S3_PORT.`)
    .action(async () => {
      const { start } = await import('./start.js');
      // It ends the process by itself.
      await start();
    });
};

await runMain([addStart, ...VERBS]);
