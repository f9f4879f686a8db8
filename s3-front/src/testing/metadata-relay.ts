/**
 * A metadata module that is unreliable in the way that a test asks for: an RPC server that passes every call
 * on to the real module, but loses a call, or the answer to it.
 */
import type { TestContext } from 'node:test';
import { CatalogueError, type ErrorType } from '@zenko-modules/common/errors';
import { silentLogger } from '@zenko-modules/common/logger';
import { RpcClient, RpcStream } from '@zenko-modules/rpc/client';
import { startRpcServer } from '@zenko-modules/rpc/server';
import { type RpcCall, StreamResult } from '@zenko-modules/rpc/service';
import { METADATA_NAMESPACE } from '@zenko-modules/rpc/wire';

export interface RelayedCall {
  readonly name: 'get' | 'put' | 'compareAndSwap' | 'del' | 'createReadStream';
  readonly database: string;
  readonly args: readonly unknown[];
}

/** Whether a call stores a value, unconditionally or not. */
export function isPut({ name, args }: RelayedCall): boolean {
  return name === 'put' || (name === 'compareAndSwap' && !isSwapForNothing(args));
}

/** Whether a call deletes something, unconditionally or not. */
export function isDeletion({ name, args }: RelayedCall): boolean {
  return name === 'del' || (name === 'compareAndSwap' && isSwapForNothing(args));
}

function isSwapForNothing([, , replacements]: readonly unknown[]): boolean {
  return (replacements as readonly { value: unknown }[]).every(({ value }) => value === null);
}

/** What becomes of a call: nothing special, an error in its place, or an error though it was made. */
export type Fate = 'passed' | { readonly refused: ErrorType } | { readonly answerLost: ErrorType };

export interface MetadataRelay {
  readonly port: number;
  /** Decides about every call from now on; a call waits for as long as the decision takes. */
  fate: (call: RelayedCall) => Fate | Promise<Fate>;
  /** Passes a call on now, such as one that was refused: it comes late. */
  readonly make: (call: RelayedCall) => Promise<unknown>;
}

/** @param compares whether it offers `compareAndSwap`, which CloudServer's own daemon does not */
export async function startMetadataRelay(
  t: Pick<TestContext, 'after'>,
  target: number,
  { compares = true }: { readonly compares?: boolean } = {},
): Promise<MetadataRelay> {
  const client = new RpcClient({ url: `http://127.0.0.1:${target}`, namespace: METADATA_NAMESPACE });
  const make = ({ name, database, args }: RelayedCall): Promise<unknown> =>
    client.call(name, { rpcArgs: args, subLevel: [database] });
  const relay: MetadataRelay & { port: number } = { port: 0, fate: () => 'passed', make };
  const pass = async (name: RelayedCall['name'], { args, subLevel }: RpcCall): Promise<unknown> => {
    const [database = ''] = subLevel as readonly string[];
    const call = { name, database, args };
    const fate = await relay.fate(call);
    if (fate !== 'passed' && 'refused' in fate) throw new CatalogueError(fate.refused);
    const result = await make(call);
    if (fate !== 'passed') throw new CatalogueError(fate.answerLost);
    return result instanceof RpcStream ? new StreamResult(result[Symbol.asyncIterator]()) : result;
  };
  const server = await startRpcServer({
    address: '127.0.0.1',
    port: 0,
    portSetting: 'METADATA_PORT',
    log: silentLogger(),
    services: [
      {
        namespace: METADATA_NAMESPACE,
        calls: {
          get: call => pass('get', call),
          put: call => pass('put', call),
          ...(compares && { compareAndSwap: (call: RpcCall) => pass('compareAndSwap', call) }),
          del: call => pass('del', call),
          createReadStream: call => pass('createReadStream', call),
        },
      },
    ],
  });
  t.after(async () => {
    await server.close();
    client.close();
  });
  relay.port = server.port;
  return relay;
}
