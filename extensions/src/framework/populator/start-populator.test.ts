import assert from 'node:assert/strict';
import test from 'node:test';
import { silentLogger } from '@zenko-modules/common/logger';
import { readSettings } from '@zenko-modules/common/settings';
import { temporaryFolder } from '@zenko-modules/common/testing/temporary-folder';
import { POPULATOR_SETTINGS } from '../extension-settings.js';
import { startPopulator } from './start-populator.js';

test('settings that contradict each other, or would be without effect, are refused', async t => {
  const DATA_DIR = await temporaryFolder(t);
  const start = async (more: Record<string, string>): Promise<unknown> => {
    const env = { DATA_DIR, ...more };
    return startPopulator(readSettings(POPULATOR_SETTINGS, env), silentLogger(), [], env);
  };
  const MODULES_ON = 'node.platform.os == linux';
  const KAFKA_HOSTS = '127.0.0.1:1';
  for (const [env, line] of [
    [{ MODULES_ON }, /MODULES_ON: .* and the embedded queue \(no KAFKA_HOSTS\) keeps files/],
    [{ MODULES_ON, KAFKA_HOSTS }, /MODULES_ON: .* and POPULATOR_OFFSETS=folder keeps files/],
    [{ TLS_CA_FILE: 'ca' }, /TLS_CA_FILE: set, and METADATA_TLS_PORT is not: /],
    [
      { KAFKA_TLS: 'true', KAFKA_SASL_USER: 'u' },
      /KAFKA_SASL_USER, KAFKA_TLS: set, and KAFKA_HOSTS is not: /,
    ],
  ] as const)
    await assert.rejects(start(env), { name: 'StartError', message: new RegExp(`^${line.source}`) });
});
