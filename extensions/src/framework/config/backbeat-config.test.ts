import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import path from 'node:path';
import test from 'node:test';
import { type Environment, readSettings, SettingsError } from '@zenko-modules/common/settings';
import { StartError } from '@zenko-modules/common/start-error';
import { temporaryFolder } from '@zenko-modules/common/testing/temporary-folder';
import { BUNDLED } from '../../bundled/index.js';
import { CONFIG_SETTINGS, KAFKA_SETTINGS } from '../extension-settings.js';
import { type Configuration, readConfiguration } from './backbeat-config.js';

const ALL = { ...CONFIG_SETTINGS, ...KAFKA_SETTINGS };
const read = (env: Environment): Configuration => readConfiguration(readSettings(ALL, env), env, BUNDLED);
const helloWorld = (env: Environment): Record<string, unknown> | undefined =>
  read(env).config.extensions.helloWorld;
const json = (config: object): Environment => ({ BACKBEAT_CONFIG: JSON.stringify(config) });

function refused(env: Environment, message: RegExp): void {
  assert.throws(
    () => read(env),
    (err: unknown) => {
      assert.ok(err instanceof StartError || err instanceof SettingsError);
      assert.match(err.message, message);
      return true;
    },
  );
}

test('the shipped configuration runs helloWorld on the embedded queue', () => {
  const { config, kafkaHosts, warnings } = read({});
  assert.equal(config.extensions.helloWorld?.topic, 'backbeat-hello-world');
  assert.equal(config.extensions.sortByType?.enabled, false);
  assert.equal(kafkaHosts, undefined);
  assert.deepEqual(warnings, []);
});

test('both spellings of the topic are taken', () => {
  assert.equal(helloWorld({ EXTENSIONS_HELLOWORLD_TOPIC: 'one' })?.topic, 'one');
  assert.equal(helloWorld({ EXTENSION_HELLOWORLD_TOPIC: 'two' })?.topic, 'two');
  assert.equal(helloWorld({ EXTENSION_HELLOWORLD_TOPIC: 'x', EXTENSIONS_HELLOWORLD_TOPIC: 'x' })?.topic, 'x');
  refused(
    { EXTENSION_HELLOWORLD_TOPIC: 'x', EXTENSIONS_HELLOWORLD_TOPIC: 'y' },
    /contradicts its other spelling/,
  );
});

test('variables set fields of any depth, in the spelling of the file', () => {
  const env = {
    EXTENSIONS_HELLOWORLD_S3_HOST: 's3.example',
    EXTENSIONS_HELLOWORLD_S3_PORT: '8001',
    EXTENSIONS_HELLOWORLD_QUEUEPROCESSOR_CONCURRENCY: '3',
    EXTENSIONS_HELLOWORLD_QUEUEPROCESSOR_GROUPID: 'own-group',
    EXTENSIONS_SORTBYTYPE_ENABLED: 'true',
    EXTENSIONS_SORTBYTYPE_DEFAULTBUCKET: 'others',
    EXTENSIONS_SORTBYTYPE_BUCKETS: '["a-bucket","b-bucket"]',
    EXTENSIONS_REPLICATION_SOURCE_AUTH_TYPE: 'service',
    EXTENSIONS_REPLICATION_SOURCE_AUTH_ACCOUNT: 'service-replication',
    LOG_LEVEL: 'debug',
  };
  const { extensions, log } = read(env).config;
  assert.deepEqual(extensions.helloWorld, {
    topic: 'backbeat-hello-world',
    s3: { host: 's3.example', port: 8001 },
    queueProcessor: { concurrency: 3, groupId: 'own-group' },
  });
  assert.equal(extensions.sortByType?.enabled, true);
  assert.equal(extensions.sortByType.defaultBucket, 'others');
  assert.deepEqual(extensions.sortByType.buckets, ['a-bucket', 'b-bucket']);
  assert.deepEqual(extensions.replication, {
    source: { auth: { type: 'service', account: 'service-replication' } },
  });
  assert.equal(log.logLevel, 'debug');
});

test('names with hyphens and underscores are reached, the longest first, and fields as an extension spells them', () => {
  const env = {
    EXTENSIONS_MY_EXTENSION_TOPIC: 'own',
    EXTENSIONS_MY_EXTENSION_S3_PORT: '8001',
    EXTENSION_SNAKE_CASE_MAX_BACKLOG: '7',
    EXTENSIONS_MY_TOPIC: 'short',
    EXTENSIONS_MY_EXTENSION_MYFIELD: 'x',
    EXTENSIONS_MY_EXTENSION_QUEUE_PROCESSOR_GROUP_ID: 'g',
  };
  const known = [{ name: 'my' }, { name: 'my-extension', configFields: ['myField'] }, { name: 'snake_case' }];
  const { extensions } = readConfiguration(readSettings(ALL, env), env, known).config;
  assert.deepEqual(extensions['my-extension'], {
    topic: 'own',
    s3: { port: 8001 },
    myField: 'x',
    queueProcessor: { groupId: 'g' },
  });
  assert.deepEqual(extensions.snake_case, { maxBacklog: 7 });
  assert.deepEqual(extensions.my, { topic: 'short' });
  const twice = [{ name: 'a-b' }, { name: 'a_b' }];
  const both = { EXTENSIONS_A_B_TOPIC: 'x' };
  assert.throws(
    () => readConfiguration(readSettings(ALL, both), both, twice),
    /EXTENSIONS_A_B_TOPIC stands for a-b as well as for a_b/,
  );
});

test('a variable for an extension that there is not is told of', () => {
  assert.match(
    read({ EXTENSIONS_LIFECYCLE_TOPIC: 'x' }).warnings.join(),
    /EXTENSIONS_LIFECYCLE_TOPIC has no effect/,
  );
});

test('a topic that looks like a number stays a text', () => {
  assert.equal(helloWorld({ EXTENSIONS_HELLOWORLD_TOPIC: '123' })?.topic, '123');
});

test('values are read from files, too', async t => {
  const folder = await temporaryFolder(t);
  const topic = path.join(folder, 'topic');
  const config = path.join(folder, 'config.json');
  await writeFile(topic, 'from-a-file\n');
  await writeFile(config, '{"kafka":{"hosts":"k1:9092,k2"},"extensions":{"helloWorld":{}}}');
  assert.equal(helloWorld({ EXTENSIONS_HELLOWORLD_TOPIC_FILE: topic })?.topic, 'from-a-file');
  const found = read({ BACKBEAT_CONFIG_FILE: config });
  assert.deepEqual(found.kafkaHosts, [
    { host: 'k1', port: 9092 },
    { host: 'k2', port: 9092 },
  ]);
  assert.equal(found.source, config);
  refused(
    { EXTENSIONS_HELLOWORLD_TOPIC_FILE: path.join(folder, 'none') },
    /EXTENSIONS_HELLOWORLD_TOPIC_FILE/,
  );
});

test('the environment goes before the file', () => {
  const file = { kafka: { hosts: 'file:1' }, s3: { host: 'file', port: 1 } };
  const { config, kafkaHosts } = read({ ...json(file), KAFKA_HOSTS: 'env:2', S3_HOST: 'env' });
  assert.deepEqual(kafkaHosts, [{ host: 'env', port: 2 }]);
  assert.deepEqual(config.s3, { host: 'env', port: 1 });
});

test('what is wrong is refused, and the message names the field', () => {
  refused({ BACKBEAT_CONFIG: '{' }, /BACKBEAT_CONFIG: is no JSON/);
  refused({ BACKBEAT_CONFIG: '[]' }, /expected a JSON object/);
  refused(json({ extensions: [] }), /extensions/);
  refused(json({ extensions: { helloWorld: 'on' } }), /extensions\.helloWorld/);
  refused(json({ s3: { port: 70_000 } }), /s3\.port/);
  refused(json({ kafka: { hosts: 'a b' } }), /kafka\.hosts: expected host:port/);
  refused(json({ log: { logLevel: 'loud' } }), /log\.logLevel/);
});
