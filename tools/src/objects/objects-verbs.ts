/** A close look at what is stored, past S3: buckets and keys, and the bytes of an object. */
import { once } from 'node:events';
import { EXIT, type ExitCode, ToolError } from '../command/exit-code.js';
import type { AddVerb, VerbContext } from '../command/verb.js';
import { locationsIn } from '../data/blob-references.js';
import { nameOf, parseEntryKey, strayKey } from '../metadata/entry-key.js';
import { parsePath } from './bucket.js';
import { withData, withMetadata } from './module-clients.js';

export const addLs: AddVerb = (program, run) => {
  program
    .command('ls [path]')
    .summary('databases, or the entries of one that begin so')
    .description(
      'Without a path the databases: one for each bucket, and those that CloudServer keeps beside. With <bucket> or ' +
        '<bucket>/<prefix> the entries, versions too, as they are stored.',
    )
    .action((path: string | undefined) => run(context => ls(path, context)));
};

export const addCat: AddVerb = (program, run) => {
  program
    .command('cat <path>')
    .summary('the bytes of an object, or its metadata')
    .description('Writes the bytes of <bucket>/<key> to standard output.')
    .option('--version-id <id>', 'as ls shows it; null for the null version')
    .option('--metadata', 'writes the stored value instead')
    .action((path: string, options: CatOptions) => run(context => cat(path, options, context)));
};

interface CatOptions {
  readonly versionId?: string;
  readonly metadata?: true;
}

function ls(path: string | undefined, context: VerbContext): Promise<ExitCode> {
  const { output } = context;
  return withMetadata(context, async client => {
    if (path === undefined) {
      let strays = 0;
      const onStray = (rawKey: string): void => {
        strays += 1;
        output.result({ event: 'stray', rawKey }, strayKey(rawKey));
      };
      for await (const name of client.databases(onStray)) output.result({ event: 'database', name }, name);
      return strays === 0 ? EXIT.sound : EXIT.found;
    }
    const { bucket, key: prefix } = parsePath(path);
    for await (const { key, value } of client.entries(bucket, { gte: prefix })) {
      if (!key.startsWith(prefix)) break;
      const entry = parseEntryKey(key);
      const blobs = locationsIn(value).map(location => location.key);
      output.result({ event: 'entry', ...entry, blobs }, nameOf(entry));
    }
    return EXIT.sound;
  });
}

function cat(path: string, { versionId, metadata }: CatOptions, context: VerbContext): Promise<ExitCode> {
  return withMetadata(context, async client => {
    const { bucket, key } = parsePath(path);
    const value = await client.get(bucket, key, { versionId });
    if (value === undefined) throw new ToolError(`${bucket}: ${nameOf({ key, versionId })}: there is none`);
    if (metadata === true) {
      process.stdout.write(`${value}\n`);
      return EXIT.sound;
    }
    return withData(context, async data => {
      for (const { key: blob, isEncrypted } of locationsIn(value)) {
        if (isEncrypted) throw new ToolError(`${path}: CloudServer has encrypted it: read it through S3`);
        const bytes = await data.get(blob);
        if (bytes === undefined) throw new ToolError(`${path}: its blob ${blob} is missing`);
        for await (const piece of bytes)
          if (!process.stdout.write(piece)) await once(process.stdout, 'drain');
      }
      return EXIT.sound;
    });
  });
}
