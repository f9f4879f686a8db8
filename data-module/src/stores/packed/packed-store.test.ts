import { temporaryFolder } from '@zenko-modules/common/testing/temporary-folder';
import { silentLogger } from '@zenko-modules/common/logger';
import { blobsUnder } from '../../testing/blob-files.js';
import { testStoreContract } from '../../testing/store-contract.js';
import { packedOptions } from './testing/packed-options.js';
import { openPackedStore } from './packed-store.js';

for (const [name, options] of Object.entries({
  'packed store': packedOptions(),
  'packed store with tiny segments': packedOptions({ PACKED_SEGMENT_BYTES: 64 * 1024, compactPauseMs: 5 }),
})) {
  testStoreContract({
    name,
    boundaries: [options.PACKED_MAX_BLOB_BYTES],
    open: async t => {
      const folder = await temporaryFolder(t);
      const store = await openPackedStore(folder, options, silentLogger());
      return {
        store,
        // What is packed leaves dead bytes, which compaction gives back; files are gone at once.
        residue: async () => (await blobsUnder(`${folder}/files`)).length + store.blobs,
        reopen: async () => {
          await store.close();
          return openPackedStore(folder, options, silentLogger());
        },
      };
    },
  });
}
