/** A start that cannot succeed says why in one line and ends with 1, whichever part it is that cannot start. */
import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import net from 'node:net';
import path from 'node:path';
import test, { type TestContext } from 'node:test';
import { runToExit } from '@zenko-modules/common/testing/daemon-process';
import { temporaryFolder } from '@zenko-modules/common/testing/temporary-folder';
import { FREE_PORTS, START_ENTRY } from './support/everything.js';

async function refusal(t: TestContext, env: Readonly<Record<string, string>>): Promise<string> {
  const { code, output } = await runToExit(t, {
    entry: START_ENTRY,
    env: { ...FREE_PORTS, DATA_DIR: await temporaryFolder(t), ...env },
  });
  assert.equal(code, 1, output);
  assert.equal(output.trim().split('\n').length, 1, output);
  return output.trim();
}

for (const name of ['DATA_PORT', 'METADATA_PORT', 'S3_PORT']) {
  test(`${name} in use`, async t => {
    const taken = net.createServer().listen(0, '127.0.0.1');
    t.after(() => taken.close());
    await new Promise(resolve => taken.once('listening', resolve));
    const { port } = taken.address() as net.AddressInfo;
    assert.match(
      await refusal(t, { [name]: String(port) }),
      new RegExp(`${name}: port ${port} on 127.0.0.1 is already in use$`),
    );
  });
}

test('a missing folder', async t => {
  const missing = path.join(await temporaryFolder(t), 'unmounted');
  assert.match(await refusal(t, { DATA_DIR: missing }), /DATA_DIR: folder .*unmounted does not exist/);
});

test('a folder that is none', async t => {
  const file = path.join(await temporaryFolder(t), 'file');
  await writeFile(file, '');
  assert.match(await refusal(t, { DATA_DIR: file }), /DATA_DIR: .*file is not a folder$/);
});

test('an unknown backend', async t => {
  assert.match(
    await refusal(t, { DATA_BACKEND: 'unheard-of' }),
    /DATA_BACKEND: .*unheard-of.*disk.*memcached/,
  );
  assert.match(
    await refusal(t, { METADATA_BACKEND: 'unheard-of' }),
    /METADATA_BACKEND: .*unheard-of.*leveldown/,
  );
});

test('an extension that there is not', async t => {
  assert.match(
    await refusal(t, { EXTENSIONS: 'sortByTpye' }),
    /EXTENSIONS: there is no extension "sortByTpye": known are/,
  );
});

test('a port that is no number', async t => {
  assert.match(
    await refusal(t, { METADATA_PORT: 'nine' }),
    /METADATA_PORT: "nine" is not accepted: expected a port number/,
  );
});

test('a secret file that cannot be read', async t => {
  const missing = path.join(await temporaryFolder(t), 'secret');
  assert.match(
    await refusal(t, { S3_SECRET_KEY_FILE: missing }),
    /S3_SECRET_KEY_FILE: cannot read .*\(ENOENT\)/,
  );
});
