/** What a package imports is what its manifest names: nothing is there by chance, and nothing is named for nothing. */
import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { isBuiltin } from 'node:module';
import path from 'node:path';
import { describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import ts from 'typescript';

interface Manifest {
  readonly name: string;
  readonly private?: boolean;
  readonly exports: Readonly<Record<string, { readonly types: string; readonly default: string }>>;
  readonly dependencies?: Readonly<Record<string, string>>;
  readonly devDependencies?: Readonly<Record<string, string>>;
  readonly peerDependencies?: Readonly<Record<string, string>>;
}

const project = fileURLToPath(new URL('../..', import.meta.url));
const read = (file: string): string => readFileSync(path.join(project, file), 'utf8');
const { workspaces: rooms } = JSON.parse(read('package.json')) as { workspaces: string[] };
const manifests = new Map(rooms.map(room => [room, JSON.parse(read(`${room}/package.json`)) as Manifest]));

for (const [room, manifest] of manifests) {
  if (manifest.private === true) continue;
  describe(manifest.name, () => {
    const sources = readdirSync(path.join(project, room, 'src'), { recursive: true, encoding: 'utf8' })
      .filter(file => file.endsWith('.ts'))
      .map(file => path.join(room, 'src', file));
    const forTests = sources.filter(isForTests);
    const shipped = sources.filter(file => !forTests.includes(file));
    const { dependencies = {}, devDependencies = {}, peerDependencies = {} } = manifest;

    test('what it ships imports only its dependencies', () => {
      assert.deepEqual(unnamed(shipped, manifest, dependencies), []);
    });

    test('its tests import only its dependencies and those of development', () => {
      const named = { ...dependencies, ...devDependencies, ...peerDependencies };
      assert.deepEqual(unnamed(forTests, manifest, named), []);
    });

    test('it ships something that uses each of its dependencies', () => {
      const text = shipped.map(read).join('\n');
      // `program('data-module/main')` of the package that starts them all adds the scope.
      const forms = (name: string) => [name, name.replace('@zenko-modules/', '')];
      const unused = Object.keys(dependencies)
        .filter(name => !name.startsWith('@types/'))
        .filter(name => !forms(name).some(form => new RegExp(`['\`]${form}['/]`).test(text)));
      assert.deepEqual(unused, []);
    });

    test('its exports are files that it builds', () => {
      for (const target of Object.values(manifest.exports)) {
        for (const file of Object.values(target).filter(name => !name.includes('*'))) {
          const source = file.replace(/^\.\/dist\//, 'src/').replace(/(\.d\.ts|\.js)$/, '.ts');
          assert.ok(sources.includes(path.join(room, source)), file);
        }
      }
    });

    test('patterns in its exports are helpers of tests alone', () => {
      const patterns = Object.keys(manifest.exports).filter(name => name.includes('*'));
      assert.deepEqual(
        patterns.filter(name => name !== './testing/*'),
        [],
      );
    });
  });
}

function isForTests(file: string): boolean {
  return file.endsWith('.test.ts') || file.includes('/testing/');
}

/** Imports of these files that are not named. */
function unnamed(
  files: readonly string[],
  { name: own }: Manifest,
  named: Readonly<Record<string, string>>,
): string[] {
  return files.flatMap(file =>
    importsOf(read(file))
      .filter(name => name !== own && named[name] === undefined)
      .map(name => `${file}: ${name}`),
  );
}

function importsOf(text: string): string[] {
  return ts
    .preProcessFile(text, true, true)
    .importedFiles.map(({ fileName }) => fileName)
    .filter(name => !name.startsWith('.') && !isBuiltin(name))
    .map(name =>
      name
        .split('/')
        .slice(0, name.startsWith('@') ? 2 : 1)
        .join('/'),
    );
}
