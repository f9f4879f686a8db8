import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { EXIT, type ExitCode, ToolError } from '../command/exit-code.js';
import type { AddVerb, VerbContext } from '../command/verb.js';
import { command, healthOf, probesOf, processorUrl } from './probes.js';

export const addStatus: AddVerb = (program, run) => {
  program
    .command('status')
    .summary('whether each part can do its work')
    .description(
      'Asks the probe of each part, those of STATUS_PARTS where it is set. Ends with 1 when one is not ready; one that does not run counts so, too.',
    )
    .option('--probe <name=host:port...>', 'further parts, such as a second processor')
    .option('--only <name...>', 'only these parts')
    .action((options: { readonly probe?: string[]; readonly only?: string[] }) =>
      run(context => status(options, context)),
    );
};

async function status(
  { probe = [], only }: { readonly probe?: readonly string[]; readonly only?: readonly string[] },
  { output, env }: VerbContext,
): Promise<ExitCode> {
  const probes = probesOf(env, probe).filter(({ part }) => only === undefined || only.includes(part));
  if (probes.length === 0) throw new ToolError(`--only: no part is named ${String(only?.join(', '))}`);
  const healths = await Promise.all(probes.map(healthOf));
  const wide = Math.max(...probes.map(({ part }) => part.length));
  for (const [index, { part, url }] of probes.entries()) {
    const health = healths[index];
    if (health === undefined) continue;
    output.result(
      { event: 'part', part, url, ...health },
      `${part.padEnd(wide)}  ${health.status.padEnd(9)}  ${url}  ${health.reason}`.trimEnd(),
    );
  }
  return healths.every(health => health.status === 'ready') ? EXIT.sound : EXIT.found;
}

function addCommand(name: 'pause' | 'resume', summary: string): AddVerb {
  return (program, run) => {
    program
      .command(name)
      .summary(summary)
      .description(`${summary}; from the machine that the processor runs on.`)
      .option('--at <host:port>', 'the probe port of the processor; left out: PROCESSOR_PROBE_PORT')
      .action(({ at }: { readonly at?: string }) =>
        run(async ({ output, env }) => {
          const url = at === undefined ? processorUrl(env) : `http://${at}`;
          const refusal = await command(url, name);
          if (refusal !== undefined) throw new ToolError(`${name}: ${url}: ${refusal}`);
          output.result({ event: name, url }, `${url}: ${name}d`);
          return EXIT.sound;
        }),
      );
  };
}

export const addPause = addCommand('pause', 'lets a processor take no more messages');
export const addResume = addCommand('resume', 'lets a processor that was paused go on');

/** Verbs that are commands of the extensions, with the same arguments. */
function addExtensionCommand(name: string, usage: string, summary: string, entry: string): AddVerb {
  return (program, run) => {
    program
      .command(`${name} ${usage}`)
      .summary(summary)
      .description(summary)
      .action((...args: unknown[]) =>
        run(async () => {
          const given = args.slice(0, -2).filter(arg => typeof arg === 'string');
          const file = fileURLToPath(import.meta.resolve(`@zenko-modules/extensions/commands/${entry}`));
          const child = spawn(process.execPath, [file, ...given], { stdio: 'inherit' });
          const [code] = (await once(child, 'close')) as [number | null];
          return code === 0 ? EXIT.sound : EXIT.failed;
        }),
      );
  };
}

export const addRedrive = addExtensionCommand(
  'redrive',
  '<extension>',
  'has parked messages of an extension processed again',
  'redrive-main',
);
export const addAccounts = addExtensionCommand(
  'accounts',
  '[file] [canonicalId]',
  'writes accounts for CloudServer, s3-front and the processors',
  'new-accounts-main',
);
