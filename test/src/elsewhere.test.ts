/** `npm start` where nothing is as by default: what it says to paste into a second terminal works there. */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import test from 'node:test';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { temporaryFolder } from '@zenko-modules/common/testing/temporary-folder';
import { startAll } from './support/everything.js';

const TRY_ENTRY = fileURLToPath(new URL('../../zenko-modules/dist/try.js', import.meta.url));

test('another address, port and access key', async t => {
  const everything = await startAll(t, await temporaryFolder(t), {
    LISTEN_ADDRESS: '127.0.0.2',
    S3_ACCESS_KEY: "some-one's-key",
  });
  const [, assignments = ''] = /^ {2}(.*)npm run try$/m.exec(everything.output()) ?? [];
  const { stdout } = await promisify(execFile)('sh', ['-c', `${assignments}"$NODE" "$TRY"`], {
    env: { PATH: process.env.PATH, NODE: process.execPath, TRY: TRY_ENTRY },
  });
  assert.match(stdout, /^put http:\/\/127\.0\.0\.2:\d+\/try-me\/helloworld/);
  assert.match(stdout, /greeted-by=me\n {2}hello=world/);
});
