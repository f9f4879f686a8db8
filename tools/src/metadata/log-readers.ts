/** Where the registered readers of the record log are. */
import { CatalogueError, messageOf } from '@zenko-modules/common/errors';
import { httpUrl } from '@zenko-modules/common/http-url';
import type { ModuleAddress } from '@zenko-modules/common/network/module-address';
import { RpcClient } from '@zenko-modules/rpc/client';
import { RECORD_LOG_NAMESPACE } from '@zenko-modules/rpc/wire';
import { z } from 'zod';
import { ToolError } from '../command/exit-code.js';

const ANSWER_MS = 5000;

const listed = z.object({
  first: z.number(),
  last: z.number(),
  readers: z.array(z.object({ reader: z.string(), nextSeq: z.number(), lag: z.number() })),
});

/** @throws ToolError when there is no module that answers */
export async function listReaders({ host, port, tls }: ModuleAddress): Promise<z.infer<typeof listed>> {
  const url = httpUrl(host, port, tls && 'https');
  const rpc = new RpcClient({ url, tls, namespace: RECORD_LOG_NAMESPACE, callTimeoutMs: ANSWER_MS });
  try {
    const answer = listed.safeParse(await rpc.call('listReaders', { rpcArgs: [], subLevel: [] }));
    if (answer.success) return answer.data;
    throw new CatalogueError('InternalError', 'it answered with something else');
  } catch (err) {
    throw new ToolError(
      `METADATA_HOST, METADATA_PORT: the metadata module at ${host}:${port} does not tell its readers (${messageOf(err)})`,
      { cause: err },
    );
  } finally {
    rpc.close();
  }
}
