import assert from 'node:assert/strict';
import { mkdir, writeFile } from 'node:fs/promises';
import path from 'node:path';
import test from 'node:test';
import { StartError } from '@zenko-modules/common/start-error';
import { temporaryFolder } from '@zenko-modules/common/testing/temporary-folder';
import { diskStore } from './disk/disk-store.js';
import { loadStore } from './registry.js';

const refusedWith = (pattern: RegExp) => (err: unknown) => {
  assert.ok(err instanceof StartError, String(err));
  assert.match(err.message, pattern);
  return true;
};

test('a store that we ship is found by its name', async () => {
  assert.equal(await loadStore('disk'), diskStore);
});

test('an unknown name is refused with the known ones', async () => {
  for (const name of ['dsk', '@nobody/store', './none.js', '/none.js', 'Disk', ' ', '%']) {
    await assert.rejects(
      loadStore(name),
      refusedWith(/DATA_BACKEND: ".*" is not known: expected one of disk.* package or path/),
      name,
    );
  }
});

test('a name that is used twice stops the start', async () => {
  await assert.rejects(
    loadStore('disk', [diskStore, { ...diskStore }]),
    refusedWith(/two stores are named "disk"/),
  );
});

test('a file that is no store is refused with what a store has', async t => {
  const folder = await temporaryFolder(t);
  const modules = {
    'empty.mjs': '',
    'number.mjs': 'export default 5;',
    'null.mjs': 'export default null;',
    'nameless.mjs': 'export default { settings: {}, open() {} };',
    'shut.mjs': 'export default { name: "shut", settings: {} };',
  };
  for (const [name, code] of Object.entries(modules)) {
    await writeFile(path.join(folder, name), code);
    await assert.rejects(
      loadStore(path.join(folder, name)),
      refusedWith(/is no store: its default export must have/),
      name,
    );
  }
});

test('a store that cannot be loaded is refused with the cause', async t => {
  const folder = await temporaryFolder(t);
  const modules = {
    'broken.mjs': 'export default {',
    'throws.mjs': 'throw new Error("on purpose");',
    'lacks.mjs': 'import "not-installed-anywhere";',
  };
  for (const [name, code] of Object.entries(modules)) {
    await writeFile(path.join(folder, name), code);
    await assert.rejects(loadStore(path.join(folder, name)), refusedWith(/cannot be loaded: ./), name);
  }
});

test('a store of another author is loaded from its path, relative ones from the working directory', async t => {
  const folder = await temporaryFolder(t);
  const file = path.join(folder, 'outside.mjs');
  await writeFile(
    file,
    'export default { name: "outside", settings: {}, open() { throw new Error("not opened"); } };',
  );
  assert.equal((await loadStore(file)).name, 'outside');
  const relative = path.relative(process.cwd(), file);
  assert.equal((await loadStore(relative.startsWith('.') ? relative : `./${relative}`)).name, 'outside');
});

test("a package is found in its author's folder, whichever way it names its entry", async t => {
  const folder = await temporaryFolder(t);
  const code = 'export default { name: "outside", settings: {}, open() { throw new Error("not opened"); } };';
  const packages = {
    plain: { main: 'index.js' },
    '@author/imported': { exports: { '.': { types: './index.d.ts', import: './index.js' } } },
  };
  for (const [name, entry] of Object.entries(packages)) {
    const installed = path.join(folder, 'node_modules', name);
    await mkdir(installed, { recursive: true });
    await writeFile(
      path.join(installed, 'package.json'),
      JSON.stringify({ name, version: '1.0.0', type: 'module', ...entry }),
    );
    await writeFile(path.join(installed, 'index.js'), code);
  }
  const before = process.cwd();
  process.chdir(folder);
  t.after(() => process.chdir(before));
  for (const name of Object.keys(packages)) assert.equal((await loadStore(name)).name, 'outside');
});
