import { ownMongodbMissing, startOwnMongodb } from '@zenko-modules/common/testing/mongodb-server';
import { startTcpProxy } from '@zenko-modules/common/testing/tcp-proxy';
import { eventually, testHarmedTransfers } from '../../testing/harmed-transfers.js';
import { StoreLayer } from '../store-layer.js';
import { GridFsStore } from './gridfs-store.js';
import { gridFsOptions, newPlace } from './testing/gridfs-place.js';

const CHUNK = 20_000;

testHarmedTransfers({
  name: 'gridfs',
  skip: ownMongodbMissing,
  maxBytes: 10 * CHUNK,
  open: async t => {
    const server = await startOwnMongodb(t);
    const place = await newPlace(t, server.url);
    const proxy = await startTcpProxy(t, server.port);
    const url = `mongodb://127.0.0.1:${proxy.port}/?directConnection=true`;
    const more = { chunkBytes: CHUNK, timeoutMs: 1500, socketTimeoutMs: 2000 };
    const store = new StoreLayer(new GridFsStore(gridFsOptions({ ...place, url }, more)));
    t.after(() => store.close());
    return {
      store,
      proxy,
      holdsOnly: async blobs => {
        const documents = [...blobs.values()].map(size => 1 + Math.ceil(size / CHUNK));
        const expected = documents.reduce((sum, count) => sum + count, 0);
        await eventually('what is left is removed', async () => (await place.count()) === expected);
      },
    };
  },
});
