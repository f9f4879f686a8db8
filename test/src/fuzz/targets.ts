/** All targets, in the order in which they run. */
import type { Target } from './target.js';
import { configuration } from './targets/configuration.js';
import { dataHttp } from './targets/data-http.js';
import { messages } from './targets/messages.js';
import { metadataFiles } from './targets/metadata-files.js';
import { metadataHttp, metadataRpc } from './targets/metadata-rpc.js';
import { packedFiles } from './targets/packed-files.js';
import { queueFiles } from './targets/queue-files.js';
import { s3Http } from './targets/s3-http.js';

export const TARGETS: readonly Target[] = [
  dataHttp('disk'),
  dataHttp('packed'),
  s3Http,
  metadataHttp,
  metadataRpc,
  metadataFiles('jsondown'),
  metadataFiles('leveldown'),
  packedFiles,
  queueFiles,
  messages,
  configuration,
];
