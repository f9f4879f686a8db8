/** Recorded CloudServer traffic, replayed against a metadata module, where the recording stands beside the project. */
import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import type { TestContext } from 'node:test';
import { fileURLToPath } from 'node:url';
import { temporaryFolder } from '@zenko-modules/common/testing/temporary-folder';

const PROJECT = fileURLToPath(new URL('../../../', import.meta.url));
const CONFORMANCE = path.join(PROJECT, '../shared/conformance');

/** For node:test's `skip`. */
export const recordedTrafficMissing = existsSync(CONFORMANCE)
  ? false
  : 'needs ../shared/conformance beside the project';

/** What the replay printed, and in how many listings the recorded answer was put right before. */
export interface Replay {
  readonly printed: string;
  readonly corrected: number;
}

/** @param url of a module that is empty */
export async function replayRecordedTraffic(t: TestContext, url: string): Promise<Replay> {
  const recording = await readFile(path.join(CONFORMANCE, 'metadata-rpc.jsonl'), 'utf8');
  const { lines, corrected } = listAllKeys(recording.split('\n').filter(Boolean));
  const file = path.join(await temporaryFolder(t), 'metadata-rpc.jsonl');
  await writeFile(file, lines.join('\n'));
  const args = [path.join(CONFORMANCE, 'replay.mjs'), '--url', url, '--file', file];
  const options = { cwd: PROJECT, maxBuffer: 16 * 1024 * 1024 };
  const printed = await new Promise<string>(resolve => {
    execFile(process.execPath, args, options, (_err, stdout, stderr) => resolve(stdout + stderr));
  });
  return { printed, corrected };
}

interface RecordedCall {
  readonly call?: string;
  readonly subLevel?: readonly string[];
  readonly rpcArgs?: readonly unknown[];
  readonly stream?: { key: string; value: string }[];
  readonly end?: string;
}

/**
 * The daemon that was recorded ends a listing without an upper bound at U+FFFF, and so hides keys that begin with a
 * character beyond it. The modules list them, as protocol.md wants it: here they are added to the recorded answers.
 */
function listAllKeys(lines: readonly string[]): { lines: string[]; corrected: number } {
  const hidden = new Map<string, Map<string, string>>();
  let corrected = 0;
  const all = lines.map(line => {
    const recorded = JSON.parse(line) as RecordedCall;
    const { call, subLevel, rpcArgs = [], stream, end } = recorded;
    const keys = hidden.get(String(subLevel)) ?? new Map<string, string>();
    hidden.set(String(subLevel), keys);
    const [first, second] = rpcArgs;
    if (call === 'put' && typeof first === 'string' && (first.codePointAt(0) ?? 0) > 0xffff) {
      keys.set(first, String(second));
    }
    if (call !== 'createReadStream' || end !== 'end' || stream === undefined || keys.size === 0) return line;
    const { lt, lte } = first as { lt?: string; lte?: string };
    if (lt !== undefined || lte !== undefined) return line;
    corrected += 1;
    return JSON.stringify({
      ...recorded,
      stream: [...stream, ...[...keys].map(([key, value]) => ({ key, value }))],
    });
  });
  return { lines: all, corrected };
}
