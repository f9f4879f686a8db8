/** Bytes and name of a blob are on stable storage before its key is told, and a deletion before it is: seen in the system calls. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import test from 'node:test';
import { straceMissing } from '@zenko-modules/common/testing/strace';
import { temporaryFolder } from '@zenko-modules/common/testing/temporary-folder';
import { driverOf } from './file-system.js';

const STORE = new URL('disk-store.js', import.meta.url).href;
const SIZES = { small: 1000, empty: 0, medium: 3 * 1024 * 1024 + 5, large: 17 * 1024 * 1024 };

/** A call to the system: the lines of the trace in which it began and ended. */
interface Call {
  readonly text: string;
  readonly begin: number;
  end: number;
}

function callsIn(trace: string): Call[] {
  const calls: Call[] = [];
  const running = new Map<string, Call>();
  for (const [line, whole] of trace.split('\n').entries()) {
    const [, pid = '', text = ''] = /^(\d+) +(.*)$/.exec(whole) ?? [];
    const resumed = / resumed>.*= \d/.test(text) ? running.get(pid) : undefined;
    if (resumed !== undefined) resumed.end = line;
    else if (text.includes('<unfinished')) {
      const call = { text, begin: line, end: Infinity };
      running.set(pid, call);
      calls.push(call);
    } else if (!text.startsWith('<...')) calls.push({ text, begin: line, end: line });
  }
  return calls;
}

for (const syncsNames of [true, false]) {
  const name = `a blob is durable when its key is told, and gone for good when that is, where the sync of a file ${syncsNames ? 'brings' : 'does not bring'} its name along`;
  test(name, { skip: straceMissing }, async t => {
    const volume = await temporaryFolder(t);
    const script = `
      import { writeSync } from 'node:fs';
      import { Readable } from 'node:stream';
      const { openDiskStore } = await import(${JSON.stringify(STORE)});
      const { silentLogger } = await import('@zenko-modules/common/logger');
      const fileSystem = { isLocal: true, syncsNames: ${syncsNames} };
      const store = await openDiskStore(${JSON.stringify(volume)}, silentLogger(), { folders: 'as needed', fileSystem });
      const keys = [];
      for (const size of ${JSON.stringify(Object.values(SIZES))}) {
        const bytes = Buffer.alloc(size, 'x');
        const isSmall = size < 100_000;
        const key = await (isSmall ? store.putSmall(bytes) : store.put(Readable.from([bytes]), size));
        writeSync(1, 'told ' + key);
        keys.push(key);
      }
      await Promise.all(keys.map(async key => {
        await store.delete(key);
        writeSync(1, 'deleted ' + key);
      }));
      await store.close();`;
    const file = path.join(await temporaryFolder(t), 'trace');
    const tracing = [
      '-f',
      '-y',
      '-e',
      'trace=openat,rename,unlink,fsync,fdatasync,write,writev,pwrite64,execve',
      '-s',
      '100',
      '-o',
      file,
    ];
    execFileSync('strace', [...tracing, process.execPath, '--input-type=module', '-e', script], {
      cwd: import.meta.dirname,
    });
    const calls = callsIn(await readFile(file, 'utf8'));
    const keys = calls.flatMap(({ text }) => /"told (\w+)"/.exec(text)?.[1] ?? []);
    assert.equal(keys.length, Object.keys(SIZES).length);
    const find = (pattern: RegExp): Call[] => calls.filter(({ text }) => pattern.test(text));
    const [journal] = find(/^openat\(.*\/\.journal\/0\.\d+", .*O_CREAT/);
    if (syncsNames)
      assert.match(journal?.text ?? '', /O_DSYNC/, 'the journal is synced by the call that writes it');
    const [journalFolder] = find(/^fsync\(\d+<[^>]*\/\.journal>/);
    const inJournal = find(/^writev?\(\d+<[^>]*\/\.journal\/0\.\d+>/);
    let before = 0;
    const [log] = find(/^openat\(.*\/\.checksums\/0\.\d+", .*O_CREAT/);
    assert.match(log?.text ?? '', /O_DSYNC/, 'checksums are synced by the call that writes them');
    const [logFolder] = find(/^fsync\(\d+<[^>]*\/\.checksums>/);
    let journaled = 0;
    for (const key of keys) {
      const [told] = find(new RegExp(`"told ${key}"`));
      // The first may have met a folder that was missing.
      const renamed = find(new RegExp(`^rename\\(.*/${key}"`)).at(-1);
      const write = find(new RegExp(`^p?write(64)?\\(.*${key}.*>, "x`)).at(-1);
      assert.ok(told && renamed, key);
      const isInJournal =
        syncsNames && inJournal.some(({ begin, end }) => begin > before && end < told.begin);
      before = told.end;
      journaled += Number(isInJournal);
      if (isInJournal) assert.ok(journalFolder && journalFolder.end < told.begin, 'its file has a name');
      const between = ({ begin, end }: Call, from: Call | undefined): boolean =>
        begin > (from?.end ?? 0) && end < told.begin;
      // The name of a file that is open follows it.
      const ofFile = find(new RegExp(`^f(data)?sync\\(\\d+<.*${key}`));
      assert.ok(isInJournal || ofFile.some(call => between(call, write)), `${key}: its bytes are synced`);
      const [, folder = ''] = /, "([^"]*)\/[^/"]*"/.exec(renamed.text) ?? [];
      const ofName = syncsNames
        ? find(new RegExp(`^fsync\\(\\d+<.*${key}`))
        : find(new RegExp(`^fsync\\(\\d+<${folder}>`));
      assert.ok(isInJournal || ofName.some(call => between(call, renamed)), `${key}: its name is synced`);
      const [deleted] = find(new RegExp(`"deleted ${key}"`));
      const [unlinked] = find(new RegExp(`^unlink\\(.*/${key}"`));
      assert.ok(deleted && unlinked, key);
      assert.ok(unlinked.end < deleted.begin);
      const syncs = syncsNames ? inJournal : find(new RegExp(`^fsync\\(\\d+<${folder}>`));
      // The last was told before anything was deleted.
      const since = syncsNames ? (find(/"told /).at(-1)?.end ?? 0) : unlinked.end;
      assert.ok(
        syncs.some(({ begin, end }) => begin > since && end < (syncsNames ? unlinked.begin : deleted.begin)),
        `${key}: its deletion is synced, in the journal before it is made`,
      );
      if (isInJournal) continue;
      const [checksum] = find(new RegExp(`^write\\([^>]*/\\.checksums/.*${key}`));
      assert.ok(checksum && checksum.end < told.begin, `${key}: its checksum is written`);
      assert.ok(logFolder && logFolder.end < told.begin, `${key}: the file of its checksum has a name`);
    }
    assert.equal(journaled, syncsNames ? 2 : 0, 'small ones go through the journal, where there is one');
  });
}

test("the driver of a device is found in Linux' table of mounts", () => {
  const mounts = [
    '23 28 0:21 / /proc rw,nosuid shared:13 - proc proc rw',
    '28 1 254:0 / / rw,relatime shared:1 - ext4 /dev/vda rw,discard',
    '61 28 259:262 / /data rw shared:30 master:2 - xfs /dev/nvme9n1 rw',
  ].join('\n');
  assert.equal(driverOf(254 * 256, mounts), 'ext4');
  assert.equal(driverOf((259 << 8) | 6 | (1 << 20), mounts), 'xfs');
  assert.equal(driverOf(254 * 256 + 1, mounts), undefined);
});
