import path from 'node:path';
import { after } from 'node:test';
import { startMemcached } from '@zenko-modules/common/testing/memcached-server';
import { temporaryFolder } from '@zenko-modules/common/testing/temporary-folder';
import type { LevelKind } from '../../../testing/level-place.js';
import { JsonMemcached } from '../json-memcached.js';

let port: Promise<number> | undefined;
const cleanups: (() => unknown)[] = [];
// Called here, while the file is loaded, it runs after the file's last test.
after(async () => {
  for (const cleanup of cleanups.reverse()) await cleanup();
});

/** The server of this test file, started by the first test that needs it. */
export function serverPort(): Promise<number> {
  const t = { after: (cleanup?: unknown) => void cleanups.push(cleanup as () => unknown) };
  return (port ??= startMemcached(t).then(server => server.port));
}

let places = 0;

/** For the tests that every LevelDOWN must pass: each place has a name of its own. */
export const JSONMEMCACHED: LevelKind = {
  name: 'jsonmemcached',
  permanent: true,
  effort: 0.02,
  place: async t => {
    const folder = path.join(await temporaryFolder(t), 'jsonmemcached');
    const servers = [{ host: '127.0.0.1', port: await serverPort() }];
    places += 1;
    const name = `place${places}`;
    return { level: () => new JsonMemcached({ servers, name, folder, journalMinBytes: 2000 }) };
  },
};
