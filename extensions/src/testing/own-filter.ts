/** An extension of a test's own that has a filter only, for a populator that is a process. */
import { mkdir, writeFile } from 'node:fs/promises';
import path from 'node:path';

/**
 * Writes it into a folder of `parent`, which is to be in EXTENSIONS_PATH.
 * @param filter the body of its filter, as text, which has `type`, `bucket`, `key` and `value`
 */
export async function writeFilter(parent: string, name: string, filter: string): Promise<void> {
  const folder = path.join(parent, name);
  await mkdir(folder, { recursive: true });
  const text = `export default ({ QueuePopulatorExtension }) => ({
    name: '${name}',
    version: '1.0.0',
    queuePopulatorExtension: class extends QueuePopulatorExtension {
      filter({ type, bucket, key, value }) {
        ${filter}
      }
    },
  });`;
  await writeFile(path.join(folder, 'index.mjs'), text);
}
