import { readdir } from 'node:fs/promises';
import { silentLogger } from '@zenko-modules/common/logger';
import { temporaryFolder } from '@zenko-modules/common/testing/temporary-folder';
import { HttpStore } from '../../testing/http-store.js';
import { startTestModule } from '../../testing/start-module.js';
import { testStoreContract } from '../../testing/store-contract.js';
import { type DiskStore, openDiskStore } from './disk-store.js';

testStoreContract({
  name: 'disk',
  boundaries: [256 * 1024, 1024 * 1024],
  largeBytes: 160 * 1024 * 1024,
  open: async t => {
    const volume = await temporaryFolder(t);
    // A test needs few of the 3511 folders, which take longer to make than it lasts.
    const open = (): Promise<DiskStore> => openDiskStore(volume, silentLogger(), { folders: 'as needed' });
    const store = await open();
    return {
      store,
      residue: () => countFiles(volume),
      reopen: async () => {
        await store.close();
        return open();
      },
    };
  },
});

for (const workers of ['1', '2'])
  testStoreContract({
    name: `disk over HTTP, workers: ${workers}`,
    boundaries: [256 * 1024],
    open: async t => {
      const folder = await temporaryFolder(t);
      const env = { DATA_DIR: folder, DATA_WORKERS: workers };
      const module = await startTestModule(t, env);
      return {
        store: new HttpStore(module.port),
        residue: () => countFiles(folder),
        reopen: async () => {
          await module.close();
          return new HttpStore((await startTestModule(t, env)).port);
        },
      };
    },
  });

async function countFiles(folder: string): Promise<number> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true });
  return entries.filter(entry => entry.isFile()).length;
}
