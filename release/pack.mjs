// `npm run packages -- <folder>`: writes the packages as they are published, one tarball each, into the folder.
//
// A package's manifest says what is public and which files it holds. Two things are for this repository alone and
// are left out here: exports that are patterns (helpers of our own tests), and development dependencies.
import { execFileSync } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

const project = fileURLToPath(new URL('..', import.meta.url));
const [target] = process.argv.slice(2);
if (target === undefined) {
  console.error('name the folder for the tarballs: npm run packages -- <folder>');
  process.exit(1);
}

const read = file => JSON.parse(readFileSync(file, 'utf8'));
const npm = (...args) =>
  execFileSync('npm', args, { cwd: project, encoding: 'utf8', stdio: ['ignore', 'pipe', 'inherit'] });

const rooms = read(path.join(project, 'package.json')).workspaces.filter(
  room => read(path.join(project, room, 'package.json')).private !== true,
);
const listed = JSON.parse(
  npm('pack', '--dry-run', '--json', '--ignore-scripts', ...rooms.map(room => `--workspace=${room}`)),
);
const filesOf = new Map(Object.values(listed).map(({ name, files }) => [name, files.map(file => file.path)]));

const staging = mkdtempSync(path.join(tmpdir(), 'zenko-pack-'));
try {
  for (const room of rooms) stage(room);
  mkdirSync(target, { recursive: true });
  const folders = rooms.map(room => path.join(staging, room));
  process.stdout.write(
    npm(
      'pack',
      '--loglevel=error',
      '--ignore-scripts',
      `--pack-destination=${path.resolve(target)}`,
      ...folders,
    ),
  );
} finally {
  rmSync(staging, { recursive: true });
}

function stage(room) {
  const from = path.join(project, room);
  const to = path.join(staging, room);
  const manifest = published(read(path.join(from, 'package.json')));
  for (const file of filesOf.get(manifest.name).filter(name => isOfSource(from, name))) {
    cpSync(path.join(from, file), path.join(to, file));
  }
  cpSync(path.join(project, 'LICENSE'), path.join(to, 'LICENSE'));
  writeFileSync(path.join(to, 'package.json'), `${JSON.stringify(manifest, null, 2)}\n`);
  writeFileSync(path.join(to, 'README.md'), `# ${manifest.name}\n\n${manifest.description}.\n`);
}

function published({ ...manifest }) {
  delete manifest.devDependencies;
  const exports = Object.entries(manifest.exports).filter(([name]) => !name.includes('*'));
  // npm compares it with the repository that a provenance statement names.
  const repository = process.env.GITHUB_REPOSITORY;
  return {
    ...manifest,
    exports: Object.fromEntries(exports),
    ...(repository && {
      repository: { type: 'git', url: `git+https://github.com/${repository}.git` },
    }),
  };
}

/** What an earlier build has left is in `dist` too. */
function isOfSource(room, file) {
  const source = /^dist\/(.*?)(\.d\.ts|\.js)$/.exec(file)?.[1];
  return source === undefined || existsSync(path.join(room, 'src', `${source}.ts`));
}
