/** The process of the command: its arguments, signals and exit code. */
import { ToolError } from './exit-code.js';
import { runProgram } from './program.js';
import type { AddVerb } from './verb.js';

/** Runs the verb that the process was started with, and ends the process. */
export async function runMain(verbs: readonly AddVerb[]): Promise<void> {
  const stop = new AbortController();
  for (const signal of ['SIGINT', 'SIGTERM'] as const) {
    process.once(signal, () => stop.abort(new ToolError('interrupted')));
  }
  const code = await runProgram(process.argv.slice(2), process.env, stop.signal, verbs);
  // A pipe takes what it is given later; nothing else is left to be done.
  process.stdout.write('', () => process.exit(code));
}
