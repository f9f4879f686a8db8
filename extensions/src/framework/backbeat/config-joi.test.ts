import assert from 'node:assert/strict';
import test from 'node:test';
import joi from 'joi';
import { configItems } from '../../backbeat.js';

test("a validator that is put together of configItems' parts takes a section and names what is wrong", () => {
  const { hostPortJoi, authJoi, logJoi, probeServerJoi, retryParamsJoi, bootstrapListJoi } = configItems;
  const schema = joi.object({
    s3: hostPortJoi.required(),
    auth: authJoi,
    log: logJoi,
    probeServer: probeServerJoi,
    retry: retryParamsJoi,
    bootstrapList: bootstrapListJoi,
  });
  const section = {
    s3: { host: 'front', port: 8000 },
    auth: { type: 'service', account: 'a' },
    log: {},
    probeServer: { port: 4042 },
    retry: { maxRetries: 5, backoff: { min: 10, max: 100, jitter: 0.1, factor: 2 } },
    bootstrapList: [{ site: 'here', servers: ['a:1'] }],
  };
  assert.deepEqual(joi.attempt(section, schema), {
    ...section,
    log: { logLevel: 'info', dumpLevel: 'error' },
    probeServer: { bindAddress: 'localhost', port: 4042 },
  });
  const wrong: [object, RegExp][] = [
    [{ s3: { host: 'front', port: 70_000 } }, /"s3\.port"/],
    [{ auth: { type: 'other', account: 'a' } }, /"auth\.type"/],
    [{ bootstrapList: [{ site: 'here' }] }, /"bootstrapList\[0\]"/],
    [{ retry: { maxRetries: -1 } }, /"retry\.maxRetries"/],
  ];
  for (const [change, message] of wrong)
    assert.match(String(schema.validate({ ...section, ...change }).error), message);
});
