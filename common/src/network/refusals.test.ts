import assert from 'node:assert/strict';
import { Writable } from 'node:stream';
import test from 'node:test';
import { pino } from 'pino';
import { Registry } from 'prom-client';
import { createRefusalCounter } from './refusal-metrics.js';
import { Refusals } from './refusals.js';

test('all refusals are counted, and a flood of them is a line every ten seconds for each kind', async () => {
  const lines: Record<string, unknown>[] = [];
  const out = new Writable({
    write: (line: Buffer, _encoding, done) => {
      lines.push(JSON.parse(line.toString()) as Record<string, unknown>);
      done();
    },
  });
  const registry = new Registry();
  let now = 0;
  const refusals = new Refusals(pino(out), createRefusalCounter('data', registry), () => now);
  for (let i = 0; i < 2500; i += 1) {
    now = i * 10;
    refusals.add('DATA_PORT', 'address', { address: `10.0.0.${i % 256}` });
  }
  refusals.add('DATA_TLS_PORT', 'handshake', { reason: 'x' });
  assert.deepEqual(
    lines.map(({ port, connections }) => [port, connections]),
    [
      ['DATA_PORT', 1],
      ['DATA_PORT', 1000],
      ['DATA_PORT', 1000],
      ['DATA_TLS_PORT', 1],
    ],
  );
  assert.equal(lines[1]?.address, `10.0.0.${1000 % 256}`);
  const text = await registry.metrics();
  assert.match(text, /^data_connections_refused_total\{port="DATA_PORT",reason="address"\} 2500$/m);
  assert.match(text, /^data_connections_refused_total\{port="DATA_TLS_PORT",reason="handshake"\} 1$/m);
});
