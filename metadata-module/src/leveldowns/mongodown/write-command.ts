/** Writes of several statements as one command in one message, whatever its size: the driver cuts its own bulks in two. */
import type { Collection, Db, Document } from 'mongodb';
import { unavailable } from './errors.js';

/** Its errors are those of the connection, or say what the server refused: the driver's bulks hide the first. */
export async function runWrite<T extends Document>(
  db: Db,
  { writeConcern }: Collection<T>,
  command: Document,
): Promise<{ readonly n: number }> {
  const { n, ...reply } = await db.command({
    // Its name comes first.
    ...command,
    ordered: true,
    writeConcern: { w: writeConcern?.w, wtimeout: writeConcern?.wtimeoutMS, j: writeConcern?.journal },
  });
  const [failed] = (reply.writeErrors ?? []) as { readonly errmsg: string }[];
  if (failed !== undefined) throw new Error(`a write was refused: ${failed.errmsg}`);
  const concern = reply.writeConcernError as { readonly errmsg: string } | undefined;
  if (concern !== undefined) throw unavailable(`a write is not confirmed: ${concern.errmsg}`);
  return { n: Number(n) };
}
