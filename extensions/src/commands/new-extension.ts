/** Writes the skeleton of an extension from `extensions/skeleton`. */
import { mkdir, readdir, readFile, symlink, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { StartError } from '@zenko-modules/common/start-error';
import { BUNDLED } from '../bundled/index.js';

const SKELETON = fileURLToPath(new URL('../../skeleton/', import.meta.url));
const PACKAGE = fileURLToPath(new URL('../../', import.meta.url));
const PROJECT = path.dirname(path.resolve(PACKAGE));
const NAME = /^[a-z][A-Za-z0-9]{1,40}$/;

/**
 * Writes `<parent>/<name>/` and answers with what to do next, as text.
 * @throws StartError when the name is not usable, or the folder is there already.
 */
export async function newExtension(name: string | undefined, parent: string): Promise<string> {
  if (name === undefined || !NAME.test(name)) {
    throw new StartError('name the extension: letters and digits, a small letter first, such as myExtension');
  }
  if (BUNDLED.some(extension => extension.name === name)) {
    throw new StartError(`there is an extension "${name}" already: choose another name`);
  }
  const folder = path.join(parent, name);
  await mkdir(parent, { recursive: true });
  try {
    await mkdir(folder);
  } catch (err) {
    if ((err as NodeJS.ErrnoException).code !== 'EEXIST') throw err;
    throw new StartError(`${folder} is there already: nothing was written`, { cause: err });
  }
  for (const file of await readdir(SKELETON)) {
    const text = await readFile(path.join(SKELETON, file), 'utf8');
    await writeFile(path.join(folder, file), fillIn(text, name));
  }
  await linkPackage(parent);
  return nextSteps(name, parent);
}

function fillIn(text: string, name: string): string {
  const words = name.replace(/[A-Z]+/g, letters => `-${letters.toLowerCase()}`);
  return text
    .replaceAll('myExtension', name)
    .replaceAll('MyExtension', name.charAt(0).toUpperCase() + name.slice(1))
    .replaceAll('MYEXTENSION', name.toUpperCase())
    .replaceAll('my-extension', words);
}

/** Lets the tests of extensions outside this project import it by name. The extensions themselves need no link. */
async function linkPackage(parent: string): Promise<void> {
  if (!path.relative(PROJECT, parent).startsWith('..')) return;
  const scope = path.join(parent, 'node_modules', '@zenko-modules');
  await mkdir(scope, { recursive: true });
  try {
    await symlink(path.resolve(PACKAGE), path.join(scope, 'extensions'), 'dir');
  } catch (err) {
    if ((err as NodeJS.ErrnoException).code !== 'EEXIST') throw err;
  }
}

function nextSteps(name: string, parent: string): string {
  return [
    `wrote ${path.join(parent, name)}`,
    'Test it, then, in the folder of this project, run it: the modules with a populator that knows it, and its processor:',
    `  node --test ${path.join(parent, name, 'index.test.js')}`,
    `  EXTENSIONS_PATH=${parent} npm start`,
    `  PROCESSOR_PROBE_PORT=4048 EXTENSIONS_PATH=${parent} npm run processor -- ${name}`,
    '',
  ].join('\n');
}
