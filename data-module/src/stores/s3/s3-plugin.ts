import type { StorePlugin } from '../plugin.js';
import { checkSettings, S3_STORE_SETTINGS } from './s3-settings.js';
import { SEAL_BYTES } from './sealed-object.js';

/** What the sockets of a transfer hold, and the bytes on their way between them. */
const SOCKET_BYTES = 512 * 1024;

export const s3Store: StorePlugin<typeof S3_STORE_SETTINGS> = {
  name: 's3',
  settings: S3_STORE_SETTINGS,
  placeSetting: 'S3_STORE_BUCKET',
  servesSeveralWorkers: true,
  // The part that is being sent, and the one that is being filled.
  transferMemoryBytes: ({ S3_STORE_PART_BYTES }) => 2 * (S3_STORE_PART_BYTES + SEAL_BYTES) + SOCKET_BYTES,
  async open({ settings, log, worker }) {
    const checked = checkSettings(settings);
    // Loaded here: it takes memory and time that the other stores need not pay.
    const { S3Store } = await import('./s3-store.js');
    const { S3_STORE_ACCESS_KEY: accessKeyId, S3_STORE_SECRET_KEY: secretAccessKey } = checked;
    const store = new S3Store({
      endpoint: checked.S3_STORE_ENDPOINT,
      region: checked.S3_STORE_REGION,
      credentials:
        accessKeyId === undefined || secretAccessKey === undefined
          ? undefined
          : { accessKeyId, secretAccessKey },
      pathStyle: checked.S3_STORE_PATH_STYLE,
      bucket: checked.S3_STORE_BUCKET,
      timeoutMs: checked.S3_STORE_TIMEOUT_MS,
      prefix: checked.S3_STORE_PREFIX,
      partBytes: checked.S3_STORE_PART_BYTES,
      uploadMs: checked.S3_STORE_UPLOAD_MS,
      sweeps: worker.index === 0,
      log,
    });
    await store.check();
    return store;
  },
};
