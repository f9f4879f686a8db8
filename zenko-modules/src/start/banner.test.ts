import assert from 'node:assert/strict';
import test from 'node:test';
import { readSettings } from '@zenko-modules/common/settings';
import { banner } from './banner.js';
import { furtherProbePort, partsOf, START_SETTINGS, withoutForeignTls } from './parts.js';

function linesOf(env: Readonly<Record<string, string>>): string[] {
  const settings = readSettings(START_SETTINGS, env);
  return banner(settings, { S3_PORT: settings.S3_PORT || 4711, DATA_PORT: 1, METADATA_PORT: 2 }).split('\n');
}

test('what to paste names what is not the default, and no secret', () => {
  for (const [env, command] of [
    [{}, '  npm run try'],
    [{ S3_PORT: '8080' }, '  S3_PORT=8080 npm run try'],
    [{ S3_PORT: '0' }, '  S3_PORT=4711 npm run try'],
    [{ LISTEN_ADDRESS: '::1' }, '  LISTEN_ADDRESS=::1 npm run try'],
    [{ S3_ACCESS_KEY: "a'b c" }, `  S3_ACCESS_KEY='a'\\''b c' npm run try`],
    [{ S3_SECRET_KEY: 'hush' }, '  npm run try'],
  ] as const) {
    const lines = linesOf(env);
    assert.ok(lines.includes(command), lines.join('\n'));
    assert.ok(!lines.join('\n').includes('hush'));
  }
  assert.match(linesOf({ S3_SECRET_KEY: 'hush' }).join('\n'), /with S3_SECRET_KEY set as here:/);
});

test('addresses are URLs, and those that one can go to', () => {
  assert.ok(linesOf({ LISTEN_ADDRESS: '::1' }).includes('data-module      http://[::1]:1'));
  assert.ok(linesOf({ LISTEN_ADDRESS: '0.0.0.0' }).includes('S3 endpoint      http://127.0.0.1:8000'));
});

test('a processor runs for helloWorld and for each extension that is named, once', () => {
  const processors = (EXTENSIONS?: string): (string | undefined)[] =>
    partsOf(readSettings(START_SETTINGS, { EXTENSIONS }))
      .filter(({ entry }) => entry.href.includes('processor'))
      .map(({ args }) => args[0]);
  assert.deepEqual(processors(), ['helloWorld']);
  assert.deepEqual(processors('sortByType'), ['helloWorld', 'sortByType']);
  assert.deepEqual(processors('sortMusic,helloWorld,sortMusic'), ['helloWorld', 'sortMusic']);
  assert.ok(linesOf({ EXTENSIONS: 'sortByType' }).includes('extensions       helloWorld, sortByType'));
});

test('the probes of further processors get ports that no other part has', () => {
  const taken = { PROCESSOR_PROBE_PORT: 4047, S3_PROBE_PORT: 4048, 'PROCESSOR_PROBE_PORT of x': 4049 };
  assert.equal(furtherProbePort(undefined, taken), '4050');
  assert.equal(furtherProbePort('4047', { PROCESSOR_PROBE_PORT: 4047 }), '4048');
  assert.equal(furtherProbePort('0', taken), '0');
});

test('with one port for TLS, the settings for TLS go to those who have to do with it', () => {
  const spared = (env: Readonly<Record<string, string>>): string[] => {
    const settings = readSettings(START_SETTINGS, env);
    return partsOf(settings)
      .filter(part => 'TLS_CERT_FILE' in withoutForeignTls(part, settings))
      .map(({ name }) => name);
  };
  assert.deepEqual(spared({}), []);
  assert.deepEqual(spared({ DATA_TLS_PORT: '1', METADATA_TLS_PORT: '2' }), ['helloWorld']);
  assert.deepEqual(spared({ DATA_TLS_PORT: '1' }), ['metadata-module', 'populator', 'helloWorld']);
  assert.deepEqual(spared({ METADATA_TLS_PORT: '1' }), ['data-module', 'helloWorld']);
});
