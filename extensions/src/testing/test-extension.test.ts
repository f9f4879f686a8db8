import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import path from 'node:path';
import test from 'node:test';
import { temporaryFolder } from '@zenko-modules/common/testing/temporary-folder';
import { testExtension } from './test-extension.js';

test('the test kit runs a processor, and tells what it published', async t => {
  const file = path.join(await temporaryFolder(t), 'index.mjs');
  await writeFile(
    file,
    `export default ({ PermanentError }) => ({
      name: 'own', version: '1', configValidator: (b, section) => ({ topic: 'own', ...section }),
      queueProcessor: class {
        constructor({ publish, config }) { this.publish = publish; this.config = config; }
        async processEntry({ value }) {
          if (value === 'bad') throw new PermanentError('never');
          await this.publish(this.config.next, 'b/' + value, 'on: ' + value);
        }
      },
    });`,
  );
  const { process } = await testExtension(file, { next: 'another' });
  assert.deepEqual(await process('x'), [{ topic: 'another', key: 'b%2Fx', value: 'on: x' }]);
  await assert.rejects(process('bad'), { name: 'PermanentError', message: 'never' });
  const wrong = await testExtension(file, { next: 'no topic' });
  await assert.rejects(wrong.process('x'), { name: 'PermanentError', message: /"no topic" is no topic/ });
  const missing = await testExtension(file, {});
  await assert.rejects(missing.process('x'), { name: 'PermanentError', message: /topic: expected a text/ });
});
