import { StartError } from '@zenko-modules/common/start-error';
import type { StorePlugin } from '../plugin.js';
import { GRIDFS_SETTINGS } from './gridfs-settings.js';

/** How often a chunk lies in memory while it passes through the driver, and what the sockets hold of a transfer. */
const COPIES = 2;
const SOCKET_BYTES = 256 * 1024;

export const gridFsStore: StorePlugin<typeof GRIDFS_SETTINGS> = {
  name: 'gridfs',
  settings: GRIDFS_SETTINGS,
  placeSetting: 'MONGODB_DATABASE',
  servesSeveralWorkers: true,
  transferMemoryBytes: ({ GRIDFS_CHUNK_BYTES: chunk, GRIDFS_WINDOW: window }) =>
    chunk * (window + 1) * COPIES + SOCKET_BYTES,
  async open({ settings, log, worker }) {
    const { MONGODB_URL: url } = settings;
    if (url === undefined)
      throw new StartError('MONGODB_URL: DATA_BACKEND=gridfs needs the connection string of MongoDB');
    // Loaded here: it takes memory and time that the other stores need not pay.
    const { GridFsStore } = await import('./gridfs-store.js');
    const store = new GridFsStore({
      url,
      database: settings.MONGODB_DATABASE,
      bucket: settings.GRIDFS_BUCKET,
      timeoutMs: settings.MONGODB_TIMEOUT_MS,
      socketTimeoutMs: settings.MONGODB_SOCKET_TIMEOUT_MS,
      chunkBytes: settings.GRIDFS_CHUNK_BYTES,
      window: settings.GRIDFS_WINDOW,
      uploadMs: settings.GRIDFS_UPLOAD_MS,
      sweeps: worker.index === 0,
      log,
    });
    await store.check();
    return store;
  },
};
