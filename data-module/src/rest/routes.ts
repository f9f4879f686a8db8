/** The requests that are not about a blob, and those that are not in order: each gets an answer that says why. */
import { CatalogueError } from '@zenko-modules/common/errors';
import express, { type Request, type Response, type Router } from 'express';
import type { CompleteStore } from '../stores/store-layer.js';
import { isContinue } from './blob-requests.js';
import { sendKeys } from './key-listing.js';
import { parseTarget } from './request-uri.js';

const METHODS = ['GET', 'HEAD', 'PUT', 'DELETE'] as const;
const ANY_PATH = /./;

/** Handlers reject with what they cannot do; the server names the error and answers. */
export function dataRoutes(store: CompleteStore): Router {
  const router = express.Router();
  router.use((req: Request, _res: Response, next) => {
    const { host, expect } = req.headers;
    if (host === undefined && req.httpVersion === '1.1')
      throw new CatalogueError('InvalidInput', 'the request must name its Host');
    if (expect !== undefined && !isContinue(expect))
      throw new CatalogueError('InvalidInput', 'the only expectation that can be met is 100-continue');
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
  router.get(ANY_PATH, async (req, res, next) => {
    const target = req.method === 'GET' ? parseTarget(req.url) : undefined;
    if (target?.kind === 'diskUsage') res.json(await store.diskUsage());
    else if (target?.kind === 'storedAt')
      res.json({ storedAt: await store.storedAt(target.key), now: Date.now() });
    else if (target?.kind === 'keys') await sendKeys(store.keys(), res);
    else next();
  });
  router.use((req: Request) => {
    const { kind } = parseTarget(req.url);
    if (req.method === 'PUT') throw new CatalogueError('InvalidURI', 'the server makes the keys');
    if (kind === 'service') throw new CatalogueError('MissingParameter', 'the path must name a key');
    throw new CatalogueError('InvalidURI', 'the query is for another method');
  });
  return router;
}
