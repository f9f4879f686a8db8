import type { StorePlugin } from '../plugin.js';
import { checkSettings, GRIDFS_SETTINGS } from './gridfs-settings.js';

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
    const checked = checkSettings(settings);
    // Loaded here: it takes memory and time that the other stores need not pay.
    const { GridFsStore } = await import('./gridfs-store.js');
    const store = new GridFsStore({
      url: checked.MONGODB_URL,
      database: checked.MONGODB_DATABASE,
      bucket: checked.GRIDFS_BUCKET,
      timeoutMs: checked.MONGODB_TIMEOUT_MS,
      socketTimeoutMs: checked.MONGODB_SOCKET_TIMEOUT_MS,
      chunkBytes: checked.GRIDFS_CHUNK_BYTES,
      window: checked.GRIDFS_WINDOW,
      uploadMs: checked.GRIDFS_UPLOAD_MS,
      sweeps: worker.index === 0,
      log,
    });
    await store.check();
    return store;
  },
};
