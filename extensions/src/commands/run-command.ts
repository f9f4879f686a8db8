/** A command that a person runs: one line and exit code 1 when it cannot be done. */
import { messageOf } from '@zenko-modules/common/errors';

export async function runCommand(name: string, work: () => Promise<void>): Promise<void> {
  try {
    await work();
    process.exit(0);
  } catch (err) {
    process.stderr.write(`${name}: ${messageOf(err)}\n`, () => process.exit(1));
  }
}
