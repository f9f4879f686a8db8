import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

const project = fileURLToPath(new URL('../..', import.meta.url));
const read = (file: string) => readFile(path.join(project, file), 'utf8');

/** What an image installs for these workspaces, as the lock says: package names, ours with their scope. */
async function installed(workspaces: string[]): Promise<Set<string>> {
  const { stdout } = await promisify(execFile)(
    'npm',
    [
      ...['ls', '--all', '--parseable', '--omit=dev', '--package-lock-only'],
      ...workspaces.map(workspace => `--workspace=${workspace}`),
    ],
    { cwd: project },
  );
  return new Set(
    stdout
      .split('\n')
      .filter(line => line.includes('/node_modules/'))
      .map(line => line.slice(line.lastIndexOf('/node_modules/') + '/node_modules/'.length)),
  );
}

/** What TypeScript builds for these rooms: they and what they refer to, as for what their tests start. */
async function referenced(rooms: readonly string[]): Promise<string[]> {
  const found = new Set(rooms);
  for (const room of found) {
    const { references = [] } = JSON.parse(await read(`${room}/tsconfig.json`)) as {
      references?: { path: string }[];
    };
    for (const { path: folder } of references) found.add(path.basename(folder));
  }
  return [...found].sort();
}

const matches = (text: string, pattern: RegExp) => [...text.matchAll(pattern)].map(match => match[1] ?? '');

describe('what the images hold', () => {
  test("the data module's has no socket.io, neither server nor client", async () => {
    const packages = await installed(['data-module']);
    assert.ok(packages.has('express') && packages.has('memjs'), 'the list holds what the module needs');
    const ofSocketIo = /^(socket\.io|engine\.io|ws$)/;
    assert.deepEqual(
      [...packages].filter(name => ofSocketIo.test(name)),
      [],
    );
    const others = await installed(['metadata-module']);
    assert.ok(others.has('socket.io') && others.has('ws'), 'the list would hold it');
  });

  for (const name of ['Dockerfile.data', 'Dockerfile.metadata', 'Dockerfile.s3-front'])
    test(`${name} copies the manifest of every workspace, and what its programs need of them`, async () => {
      const dockerfile = await read(name);
      const { workspaces } = JSON.parse(await read('package.json')) as { workspaces: string[] };
      assert.deepEqual(matches(dockerfile, /^COPY (\S+)\/package\.json \1\/$/gm), workspaces);

      const install = /npm ci .*--omit=dev.*/.exec(dockerfile)?.[0] ?? '';
      const needed = [...(await installed(matches(install, /--workspace (\S+)/g)))]
        .filter(found => found.startsWith('@zenko-modules/'))
        .map(found => found.slice('@zenko-modules/'.length))
        .sort();
      const copied = {
        sources: matches(dockerfile, /^COPY ([\w-]+) \1$/gm),
        packages: matches(dockerfile, /^COPY --from=dependencies \/app\/([\w-]+) \1$/gm).filter(
          folder => folder !== 'node_modules',
        ),
        programs: matches(dockerfile, /^COPY --from=build \/app\/([\w-]+)\/dist \1\/dist$/gm),
      };
      assert.deepEqual(copied.sources.sort(), await referenced(needed), 'sources');
      assert.deepEqual(copied.packages.sort(), needed, 'packages');
      assert.deepEqual(copied.programs.sort(), needed, 'programs');
      const listed =
        /npm pkg set --json 'workspaces=(\[.*\])' \\\n && npm sbom --sbom-format cyclonedx --omit dev > sbom\.json/;
      assert.deepEqual(
        (JSON.parse(listed.exec(dockerfile)?.[1] ?? '[]') as string[]).sort(),
        needed,
        'sbom.json',
      );
      assert.match(dockerfile, /^COPY --from=dependencies \S+\/LICENSE \/app\/sbom\.json \.\/$/m);
      const context = await read('.dockerignore');
      for (const folder of needed) assert.match(context, new RegExp(`^!${folder}$`, 'm'));
    });

  test('memjs is pinned exactly, as its inside is leaned on', async () => {
    const { dependencies } = JSON.parse(await read('common/package.json')) as {
      dependencies: Record<string, string>;
    };
    assert.match(dependencies['memjs'] ?? '', /^\d+\.\d+\.\d+$/);
  });
});
