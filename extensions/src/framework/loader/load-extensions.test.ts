import assert from 'node:assert/strict';
import { mkdir, symlink, writeFile } from 'node:fs/promises';
import path from 'node:path';
import test, { type TestContext } from 'node:test';
import { fileURLToPath } from 'node:url';
import { type Environment, readSettings } from '@zenko-modules/common/settings';
import { StartError } from '@zenko-modules/common/start-error';
import { silentLogger } from '@zenko-modules/common/logger';
import { temporaryFolder } from '@zenko-modules/common/testing/temporary-folder';
import { runFilter } from '../contract/queue-populator-extension.js';
import { CONFIG_SETTINGS, KAFKA_SETTINGS } from '../extension-settings.js';
import { BUNDLED } from '../../bundled/index.js';
import { findActive, groupOf, type LoadedExtensions, loadExtensions } from './load-extensions.js';

const load = (env: Environment): Promise<LoadedExtensions> =>
  loadExtensions(readSettings({ ...CONFIG_SETTINGS, ...KAFKA_SETTINGS }, env), env, BUNDLED);

/** A folder of extensions, from file name to content. */
async function folderOf(t: TestContext, files: Record<string, string>): Promise<string> {
  const folder = await temporaryFolder(t);
  for (const [name, content] of Object.entries(files)) {
    await mkdir(path.dirname(path.join(folder, name)), { recursive: true });
    await writeFile(path.join(folder, name), content);
  }
  return folder;
}

async function refused(env: Environment, message: RegExp): Promise<void> {
  await assert.rejects(load(env), (err: unknown) => {
    assert.ok(err instanceof StartError, String(err));
    assert.match(err.message, message);
    assert.equal(err.message.split('\n').length, 1);
    return true;
  });
}

const MINIMAL = `({ name: 'NAME', version: '1.0.0', queueProcessor: class { async processEntry() {} } })`;
const minimal = (name: string): string => `export default ${MINIMAL.replace('NAME', name)};`;

test('each bundled extension is loaded by the real loader, with a section that its validator takes', async () => {
  const sections = {
    helloWorld: {},
    sortByType: { buckets: ['incoming'], targets: { zip: 'zips' } },
    sortMusic: { buckets: ['incoming'], bucket: 'music' },
  };
  const loaded = await load({ BACKBEAT_CONFIG: JSON.stringify({ extensions: sections }) });
  assert.deepEqual(
    [...loaded.active.keys()],
    BUNDLED.map(({ name }) => name),
  );
  for (const { extension, config, section } of loaded.active.values()) {
    assert.match(section.topic ?? '', /^backbeat-/);
    const Filter = extension.queuePopulatorExtension;
    assert.ok(Filter);
    const filter = new Filter({ config: config as never, logger: silentLogger() });
    const entry = {
      type: 'del',
      bucket: 'incoming',
      key: 'helloworld',
      value: undefined,
      timestamp: '',
    } as const;
    assert.deepEqual(await runFilter(filter, entry), []);
  }
});

test('only helloWorld is on by default', async () => {
  const loaded = await load({});
  assert.deepEqual([...loaded.active.keys()], ['helloWorld']);
  assert.deepEqual(loaded.inactive, ['sortByType', 'sortMusic']);
  assert.throws(() => findActive(loaded, 'sortMusic'), /extension "sortMusic" is not switched on/);
  assert.throws(
    () => findActive(loaded, 'nope'),
    /no extension "nope": known are helloWorld, sortByType, sortMusic/,
  );
  assert.throws(() => findActive(loaded, undefined), /name the extension to run: known are/);
});

test('EXTENSIONS switches on what the configuration leaves off', async () => {
  const loaded = await load({ EXTENSIONS: 'sortMusic, helloWorld' });
  assert.deepEqual([...loaded.active.keys()], ['helloWorld', 'sortMusic']);
  assert.equal(loaded.config.extensions.sortMusic?.enabled, undefined);
  await refused(
    { EXTENSIONS: 'sortMusik' },
    /EXTENSIONS: there is no extension "sortMusik": known are helloWorld, /,
  );
  assert.throws(() => readSettings(CONFIG_SETTINGS, { EXTENSIONS: 'a b' }), /EXTENSIONS/);
});

test('an extension written for Backbeat, in CommonJS, works when its base class comes from the function', async t => {
  const folder = await folderOf(t, {
    'ingest/index.js': `
      const validator = require('./validator');
      module.exports = ({ QueuePopulatorExtension }) => ({
        name: 'ingest',
        version: '1.0.0',
        configValidator: validator,
        queuePopulatorExtension: class IngestQueuePopulator extends QueuePopulatorExtension {
          constructor(params) {
            super(params);
            this.config = params.config;
          }
          filter(entry) {
            this.publish(this.config.topic, \`\${entry.bucket}/\${entry.key}\`, JSON.stringify(entry));
          }
        },
      });`,
    // As joi answers.
    'ingest/validator.js': `module.exports = (backbeatConfig, extConfig) => (
      extConfig.topic === 'bad' ? { error: new Error('"topic" is bad'), value: extConfig }
        : { error: undefined, value: { topic: 'ingest-topic', ...extConfig } });`,
    'ingest/package.json': '{"type":"commonjs"}',
  });
  const { extension, config } = findActive(await load({ EXTENSIONS_PATH: folder }), 'ingest');
  assert.deepEqual(config, { topic: 'ingest-topic' });
  const Filter = extension.queuePopulatorExtension;
  assert.ok(Filter);
  const filter = new Filter({ config: config as never, logger: silentLogger() });
  const [found] = await runFilter(filter, { type: 'put', bucket: 'b', key: 'k', value: '{}', timestamp: '' });
  assert.equal(found?.key, 'b%2Fk');
  await refused(
    { EXTENSIONS_PATH: folder, EXTENSIONS_INGEST_TOPIC: 'bad' },
    /extensions\.ingest: "topic" is bad/,
  );
});

test('an extension of Backbeat that requires the classes when they are needed, with its groupId beside its topic', async t => {
  const folder = await folderOf(t, {
    'hello/index.js': `
      module.exports = {
        name: 'hello',
        version: '1.0.0',
        configValidator: (backbeatConfig, extConfig) => ({ topic: 'hello-topic', ...extConfig }),
        queuePopulatorExtension: () => require('./HelloQueuePopulator'),
        queueProcessor: () => require('./HelloProcessor'),
      };`,
    'hello/HelloQueuePopulator.js': `
      const { QueuePopulatorExtension } = require('@zenko-modules/extensions/backbeat');
      module.exports = class HelloQueuePopulator extends QueuePopulatorExtension {
        filterAsync(entry, cb) {
          if (entry.value === undefined) return cb();
          this.publish(this.extConfig.topic, \`\${entry.bucket}/\${entry.key}\`, JSON.stringify(entry));
          return cb();
        }
      };`,
    'hello/HelloProcessor.js': `module.exports = { default: class { processKafkaEntry(entry, done) { done(); } } };`,
    'hello/package.json': '{"type":"commonjs"}',
    'bad/index.js': `module.exports = { name: 'bad', version: '1', queueProcessor: () => ({}) };`,
    'bad/package.json': '{"type":"commonjs"}',
  });
  const scope = path.join(folder, 'node_modules', '@zenko-modules');
  await mkdir(scope, { recursive: true });
  await symlink(fileURLToPath(new URL('../../../', import.meta.url)), path.join(scope, 'extensions'));
  const env = { EXTENSIONS_PATH: path.join(folder, 'hello'), EXTENSIONS_HELLO_GROUPID: 'hello-readers' };
  const active = findActive(await load(env), 'hello');
  assert.equal(groupOf(active), 'hello-readers');
  const Filter = active.extension.queuePopulatorExtension;
  assert.ok(Filter && active.extension.queueProcessor);
  assert.match(String(active.extension.queueProcessor), /processKafkaEntry/);
  const filter = new Filter({ config: active.config as never, logger: silentLogger() });
  const entry = { bucket: 'b', key: 'k', timestamp: '' };
  const [found] = await runFilter(filter, { ...entry, type: 'put', value: '{}' });
  assert.equal(found?.topic, 'hello-topic');
  assert.deepEqual(await runFilter(filter, { ...entry, type: 'del', value: undefined }), []);
  await refused({ EXTENSIONS_PATH: path.join(folder, 'bad') }, /queueProcessor: expected a class/);
});

test('several folders, a folder that is an extension, and compiled defaults are loaded', async t => {
  const first = await folderOf(t, {
    'one/index.mjs': minimal('one'),
    'two/index.cjs': `exports.default = ${MINIMAL.replace('NAME', 'two')};`,
    'node_modules/x/index.mjs': 'throw new Error("not an extension")',
    'README.md': '',
  });
  const second = await folderOf(t, { 'index.mjs': minimal('three') });
  const env = {
    EXTENSIONS_PATH: [first, second].join(path.delimiter),
    EXTENSIONS_ONE_TOPIC: 't1',
    EXTENSIONS_TWO_TOPIC: 't2',
    EXTENSIONS_THREE_TOPIC: 't3',
  };
  const loaded = await load(env);
  assert.deepEqual([...loaded.active.keys()], ['helloWorld', 'one', 'two', 'three']);
  assert.equal(findActive(loaded, 'two').section.topic, 't2');
  const off = await load({ ...env, EXTENSIONS_TWO_ENABLED: 'false' });
  assert.ok(!off.active.has('two'));
});

test('an extension is found by its folder, when its name is no word or only its folder has a section', async t => {
  const folder = await folderOf(t, {
    'spoken/index.mjs': minimal('an extension of ours'),
    'by-folder/index.mjs': minimal('byName'),
    'other/index.mjs': minimal('named'),
    'helloWorld/index.mjs': minimal('mine'),
  });
  const sections = { spoken: { topic: 's' }, 'by-folder': {}, other: { topic: 'o' }, named: { topic: 'n' } };
  const env = {
    EXTENSIONS_PATH: folder,
    BACKBEAT_CONFIG: JSON.stringify({ extensions: { ...sections, helloWorld: {} } }),
    EXTENSIONS_BY_FOLDER_TOPIC: 'f',
    EXTENSIONS_MINE_TOPIC: 'm',
  };
  const loaded = await load(env);
  const topics = [...loaded.active].map(([name, { section }]) => [name, section.topic]);
  assert.deepEqual(Object.fromEntries(topics), {
    helloWorld: 'backbeat-hello-world',
    spoken: 's',
    'by-folder': 'f',
    named: 'n',
    mine: 'm',
  });
});

test('what is no extension is refused in one line that names the file and the field', async t => {
  const cases: [string, RegExp][] = [
    ['export default 5;', /its index must export an object/],
    ['export default { version: "1" };', /name: expected a text/],
    ['export default { name: "x" };', /version: expected a text/],
    ['export default { name: "", version: "1" };', /name: expected a text/],
    ['export default { name: "x", version: "1" };', /expected a queuePopulatorExtension, a queueProcessor/],
    [
      'export default { name: "x", version: "1", queueProcessor: 5 };',
      /queueProcessor: expected a function or class/,
    ],
    ['export default () => { throw new Error("not today"); };', /cannot be made: not today/],
    ['throw new Error("at once");', /cannot be loaded: at once/],
    [
      'import "@zenko-modules/extensions/framework/contract/extension";',
      /export a function \(api\) => extension/,
    ],
    [minimal('helloWorld'), /two extensions of the name "helloWorld"/],
    [minimal('topicless'), /extensions\.topicless: topic: expected the name of the topic/],
  ];
  for (const [content, message] of cases) {
    const folder = await folderOf(t, { 'x/index.mjs': content });
    await refused({ EXTENSIONS_PATH: folder }, message);
  }
  const empty = await temporaryFolder(t);
  await refused({ EXTENSIONS_PATH: empty }, /no extension in .*: expected <name>\/index\.js/);
  await refused({ EXTENSIONS_PATH: path.join(empty, 'none') }, /cannot read the folder .* \(ENOENT\)/);
});

test('a section that its validator refuses names the field', async () => {
  await refused(
    { EXTENSIONS_SORTMUSIC_ENABLED: 'true', EXTENSIONS_SORTMUSIC_BUCKET: 'X' },
    /extensions\.sortMusic: bucket: expected/,
  );
  const same = { EXTENSIONS_SORTBYTYPE_ENABLED: 'true', EXTENSIONS_SORTBYTYPE_TARGETS: '{"zip":"incoming"}' };
  await refused(same, /extensions\.sortByType: targets\.zip: incoming is one of the buckets/);
});
