// Runs every compiled test file with node's test runner: `npm test`, or `npm test -- data-module` for those whose path holds a text.
import { spawn } from 'node:child_process';
import { readdirSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

const project = fileURLToPath(new URL('..', import.meta.url));
/** Most tests wait most of their time, for servers and deadlines: so many files at once keep two cores busy. */
const FILES_AT_ONCE = 4;
const wanted = process.argv.slice(2);
const files = [
  'common',
  'rpc',
  'data-module',
  'metadata-module',
  'extensions',
  's3-front',
  'tools',
  'zenko-modules',
  'test',
]
  .flatMap(room =>
    readdirSync(path.join(project, room, 'dist'), { recursive: true }).map(file =>
      path.join(room, 'dist', file),
    ),
  )
  .filter(
    file => file.endsWith('.test.js') && (wanted.length === 0 || wanted.some(part => file.includes(part))),
  )
  .sort();
if (files.length === 0) {
  console.error(`no test file's path holds ${wanted.join(' or ')}`);
  process.exit(1);
}
const options = ['--test', `--test-concurrency=${FILES_AT_ONCE}`, '--test-reporter=spec'];
const runner = spawn(process.execPath, [...options, ...files], { cwd: project, stdio: 'inherit' });
runner.on('close', code => process.exit(code ?? 1));
