import { silentLogger } from '@zenko-modules/common/logger';
import { temporaryFolder } from '@zenko-modules/common/testing/temporary-folder';
import { blobsUnder } from '../../testing/blob-files.js';
import { lastingModule } from '../../testing/lasting-module.js';
import { testStoreContract } from '../../testing/store-contract.js';
import { type DiskStore, openDiskStore } from './disk-store.js';

testStoreContract({
  name: 'disk',
  boundaries: [256 * 1024, 1024 * 1024, 1536 * 1024],
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
    open: lastingModule(async file => {
      const folder = await temporaryFolder(file);
      const env = { DATA_DIR: folder, DATA_WORKERS: workers };
      return { env, residue: () => countFiles(folder) };
    }),
  });

async function countFiles(folder: string): Promise<number> {
  return (await blobsUnder(folder)).length;
}
