/** The step of .ci/run that asks for known weaknesses, against registries that answer one thing or another. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import http from 'node:http';
import { text } from 'node:stream/consumers';
import test, { type TestContext } from 'node:test';
import { fileURLToPath } from 'node:url';
import { listen } from '@zenko-modules/common/listen';
import { temporaryFolder } from '@zenko-modules/common/testing/temporary-folder';
import { freePort } from '@zenko-modules/common/testing/test-server';

const PROJECT = fileURLToPath(new URL('../..', import.meta.url));

async function audit(
  registry: string,
  cache: string,
): Promise<{ readonly code: unknown; readonly output: string }> {
  const child = spawn(process.execPath, ['.ci/audit.mjs'], {
    cwd: PROJECT,
    env: { ...process.env, npm_config_registry: registry, npm_config_cache: cache },
    stdio: ['ignore', 'pipe', 'ignore'],
  });
  const output = text(child.stdout);
  const [code] = (await once(child, 'close')) as [unknown];
  return { code, output: await output };
}

/** A registry with one advisory of `severity`, or one that takes no such questions. */
async function registry(t: TestContext, severity: string | undefined): Promise<string> {
  const advisory = { id: 1, url: 'https://example.org/1', title: 'a weakness', severity };
  const answer = { express: [{ ...advisory, vulnerable_versions: '*', cwe: [], cvss: { score: 1 } }] };
  const server = http.createServer((req, res) => {
    req.resume().once('end', () => {
      const isAsked = req.method === 'POST' && severity !== undefined;
      res.writeHead(isAsked ? 200 : 405, { 'content-type': 'application/json' });
      res.end(isAsked ? JSON.stringify(answer) : '{}');
    });
  });
  const port = await listen(server, 'port', 0, '127.0.0.1');
  t.after(() => server.close());
  return `http://127.0.0.1:${port}`;
}

test('high weaknesses fail, lesser ones do not, and what was not asked is said to be skipped', async t => {
  const away = `http://127.0.0.1:${await freePort()}`;
  const cases: readonly (readonly [string, number, RegExp])[] = [
    [
      await registry(t, 'high'),
      1,
      /high: express .*a weakness https:.*\n.* 1 high or critical of 1 in \d+ packages/,
    ],
    [await registry(t, 'moderate'), 0, /0 high or critical of 1 in \d+ packages/],
    [await registry(t, undefined), 0, /SKIPPED, nothing was checked: 405/],
    [away, 0, /SKIPPED, nothing was checked: .*ECONNREFUSED/],
  ];
  await Promise.all(
    cases.map(async ([url, code, pattern]) => {
      const seen = await audit(url, await temporaryFolder(t));
      assert.match(seen.output, pattern);
      assert.equal(seen.code, code, seen.output);
    }),
  );
});
