// Runs every compiled test file with node's test runner: `npm test`, or `npm test -- data-module` for those whose path holds a text.
import { readdirSync } from 'node:fs';
import path from 'node:path';
import { run } from 'node:test';
import { spec } from 'node:test/reporters';
import { fileURLToPath } from 'node:url';

const project = fileURLToPath(new URL('..', import.meta.url));
process.chdir(project);
/** Most tests wait most of their time, for servers and deadlines: so many files at once keep two cores busy. */
const FILES_AT_ONCE = 6;
/** Many times what any file takes: one that hangs fails by name, and the others are still told of. */
const FILE_MS = 15 * 60_000;
/** The files that take longest. */
const LONG =
  /away|crash|-failures|freeze|harmed-|hello-world|kafka-|-limits|lost-answers|orphans|over-front|packages|populator\.|tls|uploads/;
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
  );
if (files.length === 0) {
  console.error(`no test file's path holds ${wanted.join(' or ')}`);
  process.exit(1);
}

run({ files: inOrder(files), concurrency: FILES_AT_ONCE, timeout: FILE_MS })
  .on('test:fail', ({ todo }) => {
    if (!todo) process.exitCode = 1;
  })
  .compose(new spec())
  .pipe(process.stdout);

/**
 * Files of one folder are alike: they compute, or they wait. Those of each folder are spread over the whole run, so that
 * it never does only one of both; and those that take a minute come first, for none is to be left alone at the end.
 */
function inOrder(all) {
  const folders = new Map();
  for (const file of [...all].sort()) {
    const folder = path.dirname(file);
    folders.set(folder, [...(folders.get(folder) ?? []), file]);
  }
  const spread = [...folders.values()].flatMap(list =>
    list.map((file, at) => ({ file, isLong: LONG.test(file), place: (at + 0.5) / list.length })),
  );
  return spread
    .sort((a, b) => Number(b.isLong) - Number(a.isLong) || a.place - b.place)
    .map(({ file }) => file);
}
