/**
 * Accounts in CloudServer's own form (`authdata.json`, which it reads by S3AUTH_CONFIG), so that one file serves
 * CloudServer, s3-front and the processors.
 */
import { readFile, stat } from 'node:fs/promises';
import { z } from 'zod';
import { messageOf } from './errors.js';

/** CloudServer's default account, which owns what s3-front and CloudServer's own default keys have made. */
export const DEFAULT_ACCOUNT = {
  name: 'Bart',
  canonicalID: '79a59df900b949e55d96a1e698fbacedfd6e09d98eacf8f8d5218e7cd47ef2be',
  shortid: '123456789012',
} as const;

/** What we read of an account. CloudServer wants more of it (`email`, `arn`, `canonicalID`, `shortid`). */
const accountsSchema = z.looseObject({
  accounts: z.array(
    z.looseObject({
      name: z.string().min(1),
      keys: z.array(z.looseObject({ access: z.string().min(1), secret: z.string().min(1) })).min(1),
    }),
  ),
});

export type StoredAccount = z.infer<typeof accountsSchema>['accounts'][number];

/** @throws Error that begins with `what` and shows no secret. */
export function parseAccounts(what: string, text: string): readonly StoredAccount[] {
  const { content, problem } = parseJson(text);
  if (problem !== undefined) throw new Error(`${what}: is no JSON (${problem})`);
  const { data, error } = accountsSchema.safeParse(content);
  if (data) return data.accounts;
  const [issue] = error.issues;
  throw new Error(`${what}: ${issue?.path.join('.') ?? ''}: ${issue?.message ?? 'is not as expected'}`);
}

/** The text holds secrets: only where it went wrong may be shown. */
function parseJson(text: string): { readonly content?: unknown; readonly problem?: string } {
  try {
    return { content: JSON.parse(text) };
  } catch (err) {
    return { problem: messageOf(err).replace(/".*"/s, '…') };
  }
}

/** A file of accounts that is read again when it has changed: also one that was replaced, as a mounted secret is. */
export class AccountsFile {
  readonly #file: string;
  readonly #what: string;
  #read: { readonly version: string; readonly accounts: readonly StoredAccount[] } | undefined;

  /** @param what names the file in errors. */
  constructor(file: string, what: string) {
    this.#file = file;
    this.#what = what;
  }

  /** The accounts as they are now. Rejects when the file cannot be read, or is not as expected. */
  async accounts(): Promise<readonly StoredAccount[]> {
    const { ino, size, mtimeNs } = await stat(this.#file, { bigint: true });
    const version = `${ino} ${size} ${mtimeNs}`;
    if (this.#read?.version !== version) {
      this.#read = { version, accounts: parseAccounts(this.#what, await readFile(this.#file, 'utf8')) };
    }
    return this.#read.accounts;
  }
}
