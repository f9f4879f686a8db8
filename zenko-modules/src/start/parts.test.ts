import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import test from 'node:test';
import { partsOf } from './parts.js';

const ROOT = new URL('../../../', import.meta.url);

test('the data module is started with the options of Node.js that its npm script and its image have', async () => {
  const options = partsOf({ EXTENSIONS: [] }).find(({ name }) => name === 'data-module')?.nodeOptions ?? [];
  const file = await readFile(new URL('package.json', ROOT), 'utf8');
  const { scripts } = JSON.parse(file) as { readonly scripts: Readonly<Record<string, string>> };
  assert.ok(scripts['data-module']?.endsWith(['node', ...options, 'data-module/dist/main.js'].join(' ')));
  const image = await readFile(new URL('Dockerfile.data', ROOT), 'utf8');
  const words = ['node', ...options, 'data-module/dist/main.js'].map(word => JSON.stringify(word));
  assert.ok(image.includes(`ENTRYPOINT [${words.join(', ')}]`));
});
