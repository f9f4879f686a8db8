/** The kinds of damage that the crash and damage tests of the stores make, by store, and how each is named. */
import assert from 'node:assert/strict';
import { readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { connect } from 'node:net';
import path from 'node:path';
import { closeLevel, openLevel, writeBatch } from '@zenko-modules/metadata-module/leveldowns/level-calls';
import { leveldown } from '@zenko-modules/metadata-module/leveldowns/leveldown-binding';
import { withLayout } from '@zenko-modules/metadata-module/leveldowns/mongodown/testing/databases';
import { recordKey } from '@zenko-modules/metadata-module/record-log/record';
import type { Environment } from './run-tool.js';

export type Backend = 'leveldown' | 'jsondown' | 'jsonmemcached' | 'mongodown';

/** Where a module keeps a store, and how it and the tool find it. */
export interface Place {
  readonly backend: Backend;
  readonly dataDir: string;
  readonly env: Environment;
}

/** One kind of damage to a store whose module is not running. */
export interface Damage {
  readonly what: string;
  readonly harm: (place: Place) => Promise<void>;
  /** What the module says when it is started on it; without it the module starts, and `verify` says it. */
  readonly named: RegExp;
  readonly byVerify?: true;
}

export const folderOf = ({ dataDir }: Place): string => path.join(dataDir, 'metadata');

async function fileIn(folder: string, name: RegExp): Promise<string> {
  const found = (await readdir(folder)).sort().find(one => name.test(one));
  assert.ok(found !== undefined, `${name.source} in ${folder}`);
  return path.join(folder, found);
}

type Edit = (bytes: Buffer) => Buffer;

const flip =
  (share: number): Edit =>
  bytes => {
    const at = Math.floor((bytes.length - 1) * share);
    bytes.writeUInt8(bytes.readUInt8(at) ^ 4, at);
    return bytes;
  };
const cut =
  (share: number): Edit =>
  bytes =>
    bytes.subarray(0, Math.floor(bytes.length * share));
const lines =
  (change: (lines: string[]) => string[]): Edit =>
  bytes =>
    Buffer.from(change(bytes.toString().split('\n')).join('\n'));

/** Damage to one file of a store: what `edit` makes of it, or that it is gone. */
const file =
  (folder: string, name: RegExp, edit?: Edit): Damage['harm'] =>
  async place => {
    const found = await fileIn(path.join(folderOf(place), folder), name);
    if (edit === undefined) await rm(found);
    else await writeFile(found, edit(await readFile(found)));
  };

const entries =
  (...changes: Parameters<typeof writeBatch>[1]): Damage['harm'] =>
  async place => {
    const note = path.join(folderOf(place), 'newest-record');
    // As after a crash: to a store that was closed another program may write.
    const { closed, ...open } = JSON.parse(await readFile(note, 'utf8')) as { closed?: object };
    assert.ok(closed !== undefined);
    await writeFile(note, JSON.stringify(open));
    const level = leveldown(path.join(folderOf(place), 'rootDB'));
    await openLevel(level);
    await writeBatch(level, changes);
    await closeLevel(level);
  };

const collections =
  (harm: Parameters<typeof withLayout<unknown>>[1]): Damage['harm'] =>
  async ({ env }) => {
    const { MONGODB_URL: url = '', MONGODB_DATABASE: database = '' } = env;
    await withLayout({ url, database, collection: 'metadata' }, harm);
  };

/** The newest record of the stores that are damaged, which has table and log, or snapshot and journal. */
export const NEWEST = 102;
const READER = '!..recordLogs#s3-recordlog#readers!mine';

export const DAMAGES: Readonly<Record<Backend, readonly Damage[]>> = {
  leveldown: [
    {
      what: 'a bit of the log',
      harm: file('rootDB', /\.log$/, flip(0.4)),
      named: /\.log: \d+ bytes at byte/,
    },
    {
      what: 'the log cut off',
      harm: file('rootDB', /\.log$/, cut(0.4)),
      named: /records \d+ to 102, which were acknowledged, are missing/,
    },
    {
      what: 'sectors of the log torn',
      harm: file('rootDB', /\.log$/, bytes => bytes.fill(0, 512, 1024)),
      named: /\.log: \d+ bytes at byte/,
    },
    { what: 'the log gone', harm: file('rootDB', /\.log$/), named: /\.log is missing/ },
    { what: 'a bit of a table', harm: file('rootDB', /\.ldb$/, flip(0.1)), named: /\.ldb: the block of/ },
    { what: 'a table cut off', harm: file('rootDB', /\.ldb$/, cut(0.9)), named: /\.ldb: it is shorter/ },
    { what: 'a table gone', harm: file('rootDB', /\.ldb$/), named: /\.ldb is missing/ },
    {
      what: 'a bit of the manifest',
      harm: file('rootDB', /^MANIFEST/, flip(0.6)),
      named: /MANIFEST-\d+: \d+ bytes/,
    },
    {
      what: 'a manifest of zeros',
      harm: file('rootDB', /^MANIFEST/, bytes => bytes.fill(0)),
      named: /MANIFEST/,
    },
    {
      what: 'the manifest cut off',
      harm: file('rootDB', /^MANIFEST/, cut(0.5)),
      named: /MANIFEST.* is damaged/,
    },
    { what: 'the manifest gone', harm: file('rootDB', /^MANIFEST/), named: /MANIFEST-\d+ is missing/ },
    { what: 'a bit of CURRENT', harm: file('rootDB', /^CURRENT/, flip(0.2)), named: /CURRENT is damaged/ },
    { what: 'CURRENT empty', harm: file('rootDB', /^CURRENT/, cut(0)), named: /CURRENT is damaged/ },
    { what: 'CURRENT gone', harm: file('rootDB', /^CURRENT/), named: /CURRENT is missing/ },
    {
      what: 'the database gone',
      harm: place => rm(path.join(folderOf(place), 'rootDB'), { recursive: true }),
      named: /holds the id of a deployment but not its database/,
    },
    {
      what: 'an entry gone',
      harm: entries({ type: 'del', key: '!later!k20' }),
      named: /key "k20" of "later" is not what record \d+ made it/,
    },
    {
      what: 'the newest record under a damaged key',
      harm: entries(
        { type: 'del', key: recordKey(NEWEST) },
        { type: 'put', key: recordKey(NEWEST).replace('!0', '!p'), value: '{}' },
      ),
      named: /record 102, .* missing; the record log holds the key/,
    },
    {
      what: 'the place of a reader',
      harm: entries({ type: 'put', key: READER, value: '{"nextSeq":' }),
      named: /the place of a reader of the record log, .*mine/,
    },
  ],
  jsondown: [
    {
      what: 'a bit of the JSON file',
      harm: file('jsondown', /^data\.json$/, flip(0.5)),
      named: /data\.json, line \d+ \(byte \d+\)/,
    },
    {
      what: 'the JSON file cut off',
      harm: file('jsondown', /^data\.json$/, cut(0.5)),
      named: /data\.json.*byte \d+/,
    },
    {
      what: 'the JSON file gone',
      harm: file('jsondown', /^data\.json$/),
      named: /journal-\d+\.jsonl: holds changes, but the snapshot .* is missing/,
    },
    {
      what: 'a bit of the journal',
      harm: file('jsondown', /^journal/, flip(0.5)),
      named: /journal-\d+\.jsonl, line \d+ \(byte \d+\)/,
    },
    {
      what: 'the journal cut off',
      harm: file(
        'jsondown',
        /^journal/,
        lines(all => [...all.slice(0, 3), '']),
      ),
      named: /records \d+ to 102, which were acknowledged, are missing/,
    },
    {
      what: 'a batch of the journal gone',
      harm: file(
        'jsondown',
        /^journal/,
        lines(all => all.toSpliced(2, 1)),
      ),
      named: /line 3 \(byte \d+\): batch \d+ where \d+ was expected/,
    },
    { what: 'the journal gone', harm: file('jsondown', /^journal/), named: /journal-\d+\.jsonl is missing/ },
  ],
  jsonmemcached: [
    {
      what: 'all items gone',
      harm: async ({ env }) => {
        const [host = '', port = ''] = (env.MEMCACHED_HOSTS ?? '').split(':');
        await new Promise<void>((resolve, reject) => {
          const socket = connect(Number(port), host, () => socket.write('flush_all\r\n'));
          socket.once('data', () => socket.end()).once('close', () => resolve());
          socket.once('error', reject);
        });
      },
      named: /memcached/,
    },
  ],
  mongodown: [
    {
      what: 'the data gone',
      harm: collections(({ data }) => data.drop()),
      named: /lacks one of its markers|has no markers/,
    },
    {
      what: 'a marker gone',
      harm: collections(({ data }) => data.deleteOne({ _id: '' })),
      named: /has no markers: the data of this store is missing/,
    },
    {
      what: 'a document of the journal gone',
      harm: collections(({ journal }) => journal.deleteOne({ _id: 1 })),
      named: /has 127 of 128 documents: the journal is missing/,
    },
    {
      what: 'the state gone',
      harm: collections(({ state }) => state.deleteMany({})),
      named: /the document "state" of .* is missing/,
    },
    {
      what: 'a document of the data gone',
      harm: collections(({ data }) => data.deleteOne({ _id: '!later!k20' })),
      named: /later: "k20": record \d+ of the log stored it, and it is not there/,
      byVerify: true,
    },
  ],
};
