/** The packages as they are published, installed from their tarballs into an empty folder. */
import assert from 'node:assert/strict';
import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdir, writeFile } from 'node:fs/promises';
import path from 'node:path';
import test, { type TestContext } from 'node:test';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { GetObjectCommand, PutObjectCommand, CreateBucketCommand } from '@aws-sdk/client-s3';
import { temporaryFolder } from '@zenko-modules/common/testing/temporary-folder';
import { FREE_PORTS } from './support/everything.js';
import { s3Client } from './support/s3-client.js';

const project = fileURLToPath(new URL('../..', import.meta.url));
const run = promisify(execFile);
const NO_REGISTRY = /ENOTFOUND|EAI_AGAIN|ECONNREFUSED|ETIMEDOUT|ENOTCACHED|ERR_SOCKET_TIMEOUT/;

/** What a program in TypeScript may import, one name of each package. */
const CONSUMER = `
import { silentLogger } from '@zenko-modules/common/logger';
import type { DataStore } from '@zenko-modules/data-module/data-store';
import { loadStore } from '@zenko-modules/data-module/stores/registry';
import { testStoreContract } from '@zenko-modules/data-module/testing/store-contract';
import { QueuePopulatorExtension } from '@zenko-modules/extensions/backbeat';
import { testExtension } from '@zenko-modules/extensions/testing/test-extension';
import { runAbstractLevelDownSuite } from '@zenko-modules/metadata-module/testing/abstract-leveldown-suite';
import { testLevelDown } from '@zenko-modules/metadata-module/testing/leveldown-contract';
export const used = [silentLogger, loadStore, testStoreContract, QueuePopulatorExtension, testExtension];
export const suites = [runAbstractLevelDownSuite, testLevelDown];
export const close = (store: DataStore): Promise<void> => store.close();
`;

test('the packages install together into an empty folder, with types, and run', async t => {
  const tarballs = await temporaryFolder(t);
  await run(process.execPath, ['release/pack.mjs', tarballs], { cwd: project });
  await holdsNoTests(tarballs);
  const folder = await temporaryFolder(t);
  if (!(await install(t, tarballs, folder))) return;

  await t.test('types', async () => {
    await writeFile(path.join(folder, 'consumer.ts'), CONSUMER);
    const options = ['--noEmit', '--strict', '--target', 'es2023', '--module', 'nodenext', '--types', 'node'];
    const typeRoots = ['--typeRoots', path.join(project, 'node_modules/@types')];
    const tsc = path.join(project, 'node_modules/typescript/bin/tsc');
    const args = [tsc, ...options, ...typeRoots, 'consumer.ts'];
    const said = await run(process.execPath, args, { cwd: folder }).catch((err: unknown) => err);
    const { stdout } = said as { stdout: string };
    // Declarations of others are their own matter.
    const ours = stdout.split('\n').filter(line => /zenko-modules|^consumer/.test(line));
    assert.deepEqual(ours, []);
  });

  await t.test('what is not public cannot be imported', async () => {
    for (const name of ['common/testing/tcp-proxy', 'rpc/outgoing', 'data-module/rest/routes']) {
      const code = `import('@zenko-modules/${name}').catch(err => console.log(err.code))`;
      const { stdout } = await run(process.execPath, ['-e', code], { cwd: folder });
      assert.equal(stdout.trim(), 'ERR_PACKAGE_PATH_NOT_EXPORTED', name);
    }
  });

  await t.test('zenko-modules start, a PUT and a GET, and zenko-modules ls', async t => {
    const bin = path.join(folder, 'node_modules/.bin/zenko-modules');
    const child = spawn(bin, ['start'], { cwd: folder, env: { ...process.env, ...FREE_PORTS } });
    const ended = once(child, 'close');
    t.after(async () => {
      child.kill('SIGKILL');
      await ended;
    });
    let output = '';
    const printed = new Promise<void>(resolve => {
      for (const stream of [child.stdout, child.stderr]) {
        stream.setEncoding('utf8').on('data', (text: string) => {
          output += text;
          if (output.includes('Ctrl-C')) resolve();
        });
      }
    });
    await Promise.race([printed, ended.then(() => assert.fail(output))]);
    const portOf = (name: string): string =>
      new RegExp(`^${name} .*:(\\d+)$`, 'm').exec(output)?.[1] ?? assert.fail(output);

    const s3 = s3Client(t, { ports: { S3_PORT: Number(portOf('S3 endpoint')) } });
    await s3.send(new CreateBucketCommand({ Bucket: 'b1-installed' }));
    await s3.send(new PutObjectCommand({ Bucket: 'b1-installed', Key: 'k', Body: 'kept' }));
    const { Body } = await s3.send(new GetObjectCommand({ Bucket: 'b1-installed', Key: 'k' }));
    assert.equal(await Body?.transformToString(), 'kept');

    const env = {
      ...process.env,
      DATA_PORT: portOf('data-module'),
      METADATA_PORT: portOf('metadata-module'),
    };
    const { stdout } = await run(bin, ['ls', 'b1-installed'], { cwd: folder, env });
    assert.match(stdout, /\bk\b/);

    child.kill('SIGINT');
    const [code] = (await ended) as [number | null];
    assert.equal(code, 0, output);
    assert.ok((await readdir(folder)).includes('data'), 'it keeps its data where it was started');
  });
});

async function holdsNoTests(tarballs: string): Promise<void> {
  const names = await readdir(tarballs);
  assert.equal(names.length, 8, names.join(' '));
  for (const name of names) {
    const { stdout } = await run('tar', ['-tzf', path.join(tarballs, name)]);
    const files = stdout.trim().split('\n');
    assert.ok(files.includes('package/LICENSE'), name);
    const strange = files.filter(file => /\.map$|dist\/.*\.test\.|^package\/src/.test(file));
    assert.deepEqual(strange, [], name);
  }
}

/** Whether it could be installed: false, with the test skipped, when what others publish cannot be reached. */
async function install(t: TestContext, tarballs: string, folder: string): Promise<boolean> {
  await writeFile(path.join(folder, 'package.json'), '{ "private": true, "type": "module" }');
  const files = (await readdir(tarballs)).map(name => path.join(tarballs, name));
  const args = ['install', '--prefer-offline', '--no-audit', '--no-fund', '--loglevel=error', ...files];
  try {
    await run('npm', args, { cwd: folder });
    return true;
  } catch (err) {
    const { message } = err as Error;
    if (process.env.CI === 'true' || !NO_REGISTRY.test(message)) throw err;
    t.skip('npm reaches no registry, and has not all in its cache');
    return false;
  }
}
