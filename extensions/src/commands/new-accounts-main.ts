/** `npm run accounts:new -- [file] [canonical id of the owner]`: writes accounts for CloudServer, s3-front and the processors. */
import path from 'node:path';
import { runCommand } from './run-command.js';
import { writeNewAccounts } from './new-accounts.js';

await runCommand('accounts:new', async () => {
  const [file = 'authdata.json', canonicalId] = process.argv.slice(2);
  const { INIT_CWD, S3_ACCESS_KEY, S3_SECRET_KEY } = process.env;
  process.stdout.write(
    await writeNewAccounts({
      // npm runs scripts in the project's folder, and says here where the person is.
      file: path.resolve(INIT_CWD ?? process.cwd(), file),
      access: S3_ACCESS_KEY,
      secret: S3_SECRET_KEY,
      canonicalId,
    }),
  );
});
