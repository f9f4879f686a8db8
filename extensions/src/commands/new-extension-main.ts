/** `npm run extension:new -- <name> [folder]`: writes an extension of your own to begin with. */
import path from 'node:path';
import { readSettings } from '@zenko-modules/common/settings';
import { newExtension } from './new-extension.js';
import { runCommand } from './run-command.js';
import { CONFIG_SETTINGS } from '../framework/extension-settings.js';

await runCommand('extension:new', async () => {
  const { EXTENSIONS_PATH } = readSettings(CONFIG_SETTINGS);
  const [name, folder] = process.argv.slice(2);
  // npm runs scripts in the project's folder, and says here where the person is.
  const here = process.env.INIT_CWD ?? process.cwd();
  const parent = path.resolve(here, folder ?? EXTENSIONS_PATH?.split(path.delimiter)[0] ?? 'my-extensions');
  process.stdout.write(await newExtension(name, parent));
});
