/** The command line: `zenko-modules <verb>`. */
import { Command, CommanderError } from 'commander';
import { CatalogueError, messageOf } from '@zenko-modules/common/errors';
import { type Environment, SettingsError } from '@zenko-modules/common/settings';
import { StartError } from '@zenko-modules/common/start-error';
import { EXIT, type ExitCode, ToolError } from './exit-code.js';
import { Output } from './output.js';
import type { AddVerb, RunVerb } from './verb.js';
import { VERBS } from './verbs.js';

const HELP = `
Ends with 0 when all is sound, with 1 when something was found, and with 2 when it could not do its work.
The modules are found by DATA_HOST, DATA_PORT, METADATA_HOST and METADATA_PORT, over TLS by DATA_TLS_PORT and
METADATA_TLS_PORT; they go on serving.`;

/** Runs the verb that `args` name. Resolves with the exit code; never rejects. */
export async function runProgram(
  args: readonly string[],
  env: Environment,
  signal: AbortSignal,
  verbs: readonly AddVerb[] = VERBS,
): Promise<ExitCode> {
  let code: ExitCode = EXIT.failed;
  const program = new Command('zenko-modules')
    .description('Checks, repairs, backs up and looks into what the modules keep.')
    .option('--json', 'one JSON object a line, for programs')
    .addHelpText('after', HELP)
    .exitOverride();
  const run: RunVerb = async work => {
    const output = new Output(program.opts<{ json?: boolean }>().json === true);
    try {
      code = await work({ output, env, signal });
    } finally {
      output.endProgress();
    }
  };
  for (const add of verbs) add(program, run);
  // Each verb takes --json after its name, too.
  for (const verb of program.commands) {
    verb.exitOverride().option('--json', 'one JSON object a line, for programs');
    verb.hook('preAction', () => {
      if (verb.opts<{ json?: boolean }>().json === true) program.setOptionValue('json', true);
    });
  }
  try {
    await program.parseAsync(args, { from: 'user' });
    return code;
  } catch (err) {
    if (err instanceof CommanderError) return err.exitCode === 0 ? EXIT.sound : EXIT.failed;
    process.stderr.write(`zenko-modules: ${describe(err)}\n`);
    return EXIT.failed;
  }
}

/** One line for what a person can mend, the whole error for what only a developer can. */
function describe(err: unknown): string {
  const known = [ToolError, StartError, SettingsError, CatalogueError].some(kind => err instanceof kind);
  if (known || !(err instanceof Error)) return messageOf(err);
  return err.stack ?? err.message;
}
