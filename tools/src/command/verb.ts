/** A verb of the command: its arguments, and what it does. */
import type { Command } from 'commander';
import type { Environment } from '@zenko-modules/common/settings';
import type { ExitCode } from './exit-code.js';
import type { Output } from './output.js';

export interface VerbContext {
  readonly output: Output;
  readonly env: Environment;
  /** Aborted by Ctrl-C and by SIGTERM: the verb ends soon, tidies up, and rejects with its reason. */
  readonly signal: AbortSignal;
}

/** Adds a verb to the program. `run` gives each call what it needs, and ends the process as its result says. */
export type AddVerb = (program: Command, run: RunVerb) => void;

export type RunVerb = (work: (context: VerbContext) => Promise<ExitCode>) => Promise<void>;
