/** The commands of README, CONTRIBUTING and docs, as printed: each is run here, or it says why it cannot be. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdir, readdir, readFile } from 'node:fs/promises';
import path from 'node:path';
import test from 'node:test';
import { openPage, PROJECT } from '@zenko-modules/extensions/testing/printed-commands';

const START = 'npm ci && npm start';

/** Why a block is not run, by what it holds. */
const NOT_RUN: readonly (readonly [RegExp, string])[] = [
  [/\bdocker\b/, 'needs Docker: npm run test:swarm does what these do'],
  [/FIRST_HOST/, 'needs the Swarm'],
  [/start_s3server/, 'needs CloudServer'],
  [/\/var\/lib\/cloudserver/, "needs the volumes of CloudServer's own daemons"],
  [/npm test|npm run lint/, 'is what runs this test'],
  [/\bbench\//, 'measures for minutes'],
  [/<verb>/, 'stands for others'],
  [/npm run fuzz/, 'is what fuzz.test.ts runs'],
];

async function blocks(): Promise<string[]> {
  const docs = (await readdir(path.join(PROJECT, 'docs'))).filter(name => name.endsWith('.md')).sort();
  const pages = ['README.md', 'CONTRIBUTING.md', ...docs.map(name => `docs/${name}`)];
  const texts = await Promise.all(pages.map(page => readFile(path.join(PROJECT, page), 'utf8')));
  return texts.flatMap(text => [...text.matchAll(/^```sh\n(.*?)\n```$/gms)].map(([, block = '']) => block));
}

test('every command of README, CONTRIBUTING and docs is run, or there is a reason why not', async t => {
  const left = new Set(await blocks());
  const take = (pattern: RegExp): string => {
    const block = [...left].find(text => pattern.test(text));
    assert.ok(block !== undefined, `no page has ${String(pattern)}`);
    left.delete(block);
    return block;
  };
  // What is installed is not installed again, under the feet of the other tests.
  assert.equal(take(/^npm ci && npm start$/), START);
  const page = await openPage(t);
  const running = page.start('npm start');
  await running.printed(/Ctrl-C stops everything/);
  assert.match(await page.run(take(/^npm run try$/)), /its tags are\n {2}greeted-by=me\n {2}hello=world\n/);
  const aws = take(/^aws .* s3 mb/m);
  if (hasAws()) assert.match(await page.run(aws), /"hello"|"TagSet"/);
  else if (process.env.CI === 'true') assert.fail('aws is not in PATH');
  else t.diagnostic('aws is not in PATH: its commands are not run');
  assert.match(await page.run(take(/ backup /)), /\d/);
  assert.match(await page.run(take(/^mkdir tls/)), /data-module\.crt: OK\ns3-front\.crt: OK/);
  await running.interrupt();
  assert.match(running.output(), /stopping/);

  await mkdir(path.join(page.folder, 'data'), { recursive: true });
  const overTls = page.start(take(/^DATA_TLS_PORT/));
  await overTls.printed(/"DATA_TLS_PORT":/);
  await overTls.interrupt();

  for (const [pattern, reason] of NOT_RUN) {
    const found = [...left].filter(text => pattern.test(text));
    assert.ok(found.length > 0, `no command ${reason}: ${String(pattern)}`);
    for (const block of found) left.delete(block);
  }
  assert.deepEqual([...left], []);
});

test('the next npm start, on another port', async t => {
  const readme = await readFile(path.join(PROJECT, 'README.md'), 'utf8');
  const other = /`(EXTENSIONS=\S+ npm start)`/.exec(readme)?.[1] ?? '';
  const page = await openPage(t);
  const running = page.start(other);
  await running.printed(/extensions {7}helloWorld, sortByType/);
  await running.interrupt();
});

function hasAws(): boolean {
  try {
    execFileSync('aws', ['--version'], { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
}
