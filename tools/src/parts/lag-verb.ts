import { InvalidArgumentError } from 'commander';
import { EXIT, type ExitCode } from '../command/exit-code.js';
import type { AddVerb, VerbContext } from '../command/verb.js';
import { listReaders } from '../metadata/log-readers.js';
import { withModules } from '../modules.js';

export const addLag: AddVerb = (program, run) => {
  program
    .command('lag')
    .summary('how far readers of the record log and groups of the queue are behind')
    .description(
      'Lists the registered readers of the record log, and for each extension that is switched on its topic and what is ' +
        'parked of it, in Kafka or in the embedded queue below DATA_DIR. It reads the configuration as the processors do.',
    )
    .option('--max <count>', 'ends with 1 when one of them is further behind', count)
    .action(({ max = Infinity }: { readonly max?: number }) => run(context => lag(max, context)));
};

function count(text: string): number {
  if (/^\d{1,15}$/.test(text)) return Number(text);
  throw new InvalidArgumentError('expected a whole number.');
}

async function lag(max: number, { output, env, signal }: VerbContext): Promise<ExitCode> {
  const { first, last, readers } = await withModules(env, ({ metadata }) => listReaders(metadata));
  output.result({ event: 'log', first, last }, `record log: records ${first} to ${last}`);
  for (const { reader, nextSeq, lag: records } of readers)
    output.result(
      { event: 'reader', reader, nextSeq, lag: records },
      `reader ${reader}: ${records} records behind`,
    );
  signal.throwIfAborted();
  const { backlogs } = await import('./queue-lag.js');
  const queues = await backlogs(env);
  for (const one of queues)
    output.result(
      { event: 'group', ...one },
      `topic ${one.topic}, group ${one.group}: ${one.messages} messages not done`,
    );
  const behind = [...readers.map(reader => reader.lag), ...queues.map(({ messages }) => messages)];
  return behind.every(far => far <= max) ? EXIT.sound : EXIT.found;
}
