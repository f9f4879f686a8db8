#!/usr/bin/env node
import { ToolError } from './command/exit-code.js';
import { runProgram } from './command/program.js';

const stop = new AbortController();
for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  process.once(signal, () => stop.abort(new ToolError('interrupted')));
}
const code = await runProgram(process.argv.slice(2), process.env, stop.signal);
// A pipe takes what it is given later; nothing else is left to be done.
process.stdout.write('', () => process.exit(code));
