/** The requests of the data interface, one handler each. */
import { pipeline } from 'node:stream/promises';
import { CatalogueError, messageOf } from '@zenko-modules/common/errors';
import express, { type Request, type Response, type Router } from 'express';
import type { DataStore } from '../data-store.js';
import { ExactSize } from '../stores/exact-size.js';
import { parseRange } from './range.js';
import { contentLength, requestBody, sendContinue } from './request-body.js';
import { requestContext } from './request-context.js';
import { parseTarget, type Target } from './request-uri.js';

const METHODS = ['GET', 'HEAD', 'PUT', 'DELETE'] as const;
const ANY_PATH = /./;
const CONTINUE = '100-continue';

/** Handlers reject with what they cannot do; the server names the error and answers. */
export function dataRoutes(store: DataStore): Router {
  const router = express.Router();
  router.use((req: Request, _res: Response, next) => {
    const { host, expect = CONTINUE } = req.headers;
    if (host === undefined && req.httpVersion === '1.1')
      throw new CatalogueError('InvalidInput', 'the request must name its Host');
    if (expect.toLowerCase() !== CONTINUE)
      throw new CatalogueError('InvalidInput', `the only expectation that can be met is ${CONTINUE}`);
    next();
  });
  router.use((req: Request, res: Response, next) => {
    if (METHODS.some(method => method === req.method)) {
      next();
      return;
    }
    res.setHeader('allow', METHODS.join(', '));
    throw new CatalogueError('MethodNotAllowed');
  });

  router.put(ANY_PATH, async (req, res) => {
    if (parseTarget(req.url).kind !== 'service')
      throw new CatalogueError('InvalidURI', 'the server makes the keys');
    const size = contentLength(req);
    sendContinue(req, res);
    const key = await store.put(requestBody(req), size);
    requestContext(res).bytesIn = size;
    if (res.destroyed) {
      await removeUnclaimed(store, key, res);
      return;
    }
    res.writeHead(201, { location: `/DataFile/${key}`, 'content-length': 0 }).end();
  });

  router.head(ANY_PATH, async (req, res) => {
    const size = await store.stat(keyOf(parseTarget(req.url)));
    res.writeHead(200, { 'content-length': size, 'accept-ranges': 'bytes' }).end();
  });

  router.get(ANY_PATH, async (req, res) => {
    const target = parseTarget(req.url);
    if (target.kind === 'diskUsage') {
      res.json(await store.diskUsage());
      return;
    }
    await sendBlob(store, keyOf(target), req, res);
  });

  router.delete(ANY_PATH, async (req, res) => {
    await store.delete(keyOf(parseTarget(req.url)));
    res.writeHead(204).end();
  });
  return router;
}

async function sendBlob(store: DataStore, key: string, req: Request, res: Response): Promise<void> {
  const size = await store.stat(key);
  const range = parseRange(req.headers.range, size);
  const length = range === undefined ? size : range.end - range.start + 1;
  const whole = size === 0 ? undefined : { start: 0, end: size - 1 };
  // A store that knows the end reads no further, and takes no larger buffer than it needs.
  const blob = await store.get(key, range ?? whole);
  res.writeHead(range === undefined ? 200 : 206, {
    'content-type': 'application/octet-stream',
    'content-length': length,
    'accept-ranges': 'bytes',
    ...(range === undefined ? {} : { 'content-range': `bytes ${range.start}-${range.end}/${size}` }),
  });
  // A blob of another size than the one announced would garble the connection.
  const counted = new ExactSize(length);
  requestContext(res).sent = counted;
  try {
    await pipeline(blob, counted, res);
  } finally {
    // Since Node.js 24 a pipeline to a client that has gone already leaves its source open.
    blob.destroy();
  }
}

function keyOf(target: Target): string {
  if (target.kind === 'blob') return target.key;
  if (target.kind === 'service') throw new CatalogueError('MissingParameter', 'the path must name a key');
  throw new CatalogueError('InvalidURI', 'the query is for GET only');
}

/** The client went away before it learned the key, so nobody would ever delete this blob. */
async function removeUnclaimed(store: DataStore, key: string, res: Response): Promise<void> {
  const { log } = requestContext(res);
  try {
    await store.delete(key);
    log.info({ key }, 'removed a blob whose sender had gone');
  } catch (err) {
    log.warn({ err, key }, `a blob whose sender had gone stays: ${messageOf(err)}`);
  }
}
