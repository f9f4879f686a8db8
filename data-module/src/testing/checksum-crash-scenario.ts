/**
 * Run by `checksums/crash.test.ts`: `node checksum-crash-scenario.js <volume> <number> <keys to delete...>`. Puts, deletes
 * and cleans until it is killed, and tells what it does: `put <key> <body>` when it is done, `deleting <key>` before.
 */
import { writeSync } from 'node:fs';
import { silentLogger } from '@zenko-modules/common/logger';
import { openDiskStore } from '../stores/disk/disk-store.js';

const [volume = '', number = '', ...keys] = process.argv.slice(2);
const checksums = { maxFileBytes: 4000, pauseMs: 1 };
const store = await openDiskStore(volume, silentLogger(), { folders: 'as needed', checksums });
const tell = (line: string): void => void writeSync(1, `${line}\n`);

async function client(name: number): Promise<never> {
  for (let index = 0; ; index += 1) {
    const body = `${number}-${name}-${index}`;
    const key = await store.putSmall(Buffer.from(body));
    tell(`put ${key} ${body}`);
    keys.push(key);
    const old = index % 4 > 0 ? keys.shift() : undefined;
    if (old === undefined) continue;
    tell(`deleting ${old}`);
    await store.delete(old);
  }
}

await Promise.all([0, 1, 2, 3, 4, 5].map(client));
