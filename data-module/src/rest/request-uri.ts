/**
 * The paths of the interface: `/DataFile`, `/DataFile/<key>`, `/DataFile?diskUsage`, and ours: `/DataFile?keys`,
 * `/DataFile?delete` and `/DataFile/<key>?storedAt`.
 */
import { CatalogueError } from '@zenko-modules/common/errors';
import { originForm } from '@zenko-modules/common/origin-form';

export type Target =
  | { readonly kind: 'service' }
  | { readonly kind: 'blob'; readonly key: string }
  | { readonly kind: 'diskUsage' }
  | { readonly kind: 'keys' }
  | { readonly kind: 'delete' }
  | { readonly kind: 'storedAt'; readonly key: string };

const SERVICE = 'DataFile';

/**
 * What a request's target, a path or a whole URL, names. The path is taken as it came: keys need no escapes, so one with an escape is no key.
 * @throws CatalogueError `InvalidURI`, or `InvalidAction` for another service.
 */
export function parseTarget(url: string): Target {
  const [, path, query] = /^\/([^?]*)(?:\?(.*))?$/.exec(originForm(url)?.url ?? '') ?? [];
  if (path === undefined || path === '') throw new CatalogueError('InvalidURI', 'the path names no service');
  const [service, ...rest] = path.split('/');
  if (service !== SERVICE) throw new CatalogueError('InvalidAction', `the only service is ${SERVICE}`);
  const key = rest.join('/');
  if (query !== undefined) {
    if (query === 'diskUsage' && key === '') return { kind: 'diskUsage' };
    if (query === 'keys' && key === '') return { kind: 'keys' };
    if (query === 'delete' && key === '') return { kind: 'delete' };
    if (query === 'storedAt' && /^[0-9a-f]+$/.test(key)) return { kind: 'storedAt', key };
    throw new CatalogueError(
      'InvalidURI',
      'the queries are ?diskUsage, ?keys and, for POST, ?delete without a key, ?storedAt with one',
    );
  }
  if (!/^[0-9a-f]*$/.test(key)) throw new CatalogueError('InvalidURI', 'a key is made of 0 to 9 and a to f');
  return key === '' ? { kind: 'service' } : { kind: 'blob', key };
}
