/** S3 as a user of the stack has it: the AWS SDK. */
import { createHash, randomBytes } from 'node:crypto';
import {
  CreateBucketCommand,
  DeleteObjectCommand,
  GetObjectCommand,
  GetObjectTaggingCommand,
  ListObjectsV2Command,
  PutObjectCommand,
  S3Client,
} from '@aws-sdk/client-s3';
import { KEYS, S3_PORT } from './stack.mjs';
import { sleep, until } from './waiting.mjs';

const BUCKET = 'swarm';
const TAG_DEADLINE_MS = 60_000;
/** A request is tried again for so long, as a patient client does, before it counts as failed. */
const PATIENCE_MS = 60_000;
const FIRST_PAUSE_MS = 100;
const LONGEST_PAUSE_MS = 2000;

export const sha256 = bytes => createHash('sha256').update(bytes).digest('hex');

/** The store as seen through one node, and a record of what it acknowledged. */
export class Bucket {
  #client;
  /** Requests that were sent again. */
  retries = 0;
  /** Key → SHA-256 of what was acknowledged last. */
  #acknowledged = new Map();

  constructor(address) {
    this.#client = new S3Client({
      endpoint: `http://${address}:${S3_PORT}`,
      region: 'us-east-1',
      forcePathStyle: true,
      // Tried again below, where it is counted.
      maxAttempts: 1,
      credentials: KEYS,
      requestHandler: { connectionTimeout: 5000, socketTimeout: 20_000 },
    });
  }

  get size() {
    return this.#acknowledged.size;
  }

  #send(command) {
    return this.#patiently(() => this.#sendOnce(command));
  }

  #sendOnce(command) {
    return this.#client.send(command, { abortSignal: globalThis.AbortSignal.timeout(PATIENCE_MS) });
  }

  async #patiently(work) {
    const end = Date.now() + PATIENCE_MS;
    for (let pause = FIRST_PAUSE_MS; ; pause = Math.min(2 * pause, LONGEST_PAUSE_MS)) {
      try {
        return await work();
      } catch (err) {
        if (Date.now() > end) throw err;
      }
      this.retries += 1;
      await sleep(pause);
    }
  }

  async create() {
    await this.#send(new CreateBucketCommand({ Bucket: BUCKET }));
  }

  async put(key, bytes = randomBytes(1024)) {
    await this.#send(new PutObjectCommand({ Bucket: BUCKET, Key: key, Body: bytes }));
    this.#acknowledged.set(key, sha256(bytes));
  }

  /** Reads an object and compares it with what was acknowledged. A body that breaks off is read again. */
  async check(key) {
    const found = await this.#patiently(async () => {
      const { Body } = await this.#sendOnce(new GetObjectCommand({ Bucket: BUCKET, Key: key }));
      return sha256(await Body.transformToByteArray());
    });
    if (found !== this.#acknowledged.get(key)) throw new Error(`${key} has other bytes than were put`);
  }

  async delete(key) {
    await this.#send(new DeleteObjectCommand({ Bucket: BUCKET, Key: key }));
    this.#acknowledged.delete(key);
  }

  async list() {
    const keys = [];
    let token;
    do {
      const page = await this.#send(new ListObjectsV2Command({ Bucket: BUCKET, ContinuationToken: token }));
      keys.push(...(page.Contents ?? []).map(object => object.Key));
      token = page.NextContinuationToken;
    } while (token !== undefined);
    return keys;
  }

  async tags(key) {
    const { TagSet } = await this.#send(new GetObjectTaggingCommand({ Bucket: BUCKET, Key: key }));
    return Object.fromEntries(TagSet.map(tag => [tag.Key, tag.Value]));
  }

  /** Puts an object that helloWorld knows and waits for its tag. */
  async putAndSeeTag(prefix) {
    const key = `helloworld`;
    await this.put(key, Buffer.from(`${prefix} ${Date.now()}`));
    await until(
      `the tag of ${key} (${prefix})`,
      TAG_DEADLINE_MS,
      async () => (await this.tags(key)).hello === 'world',
    );
  }

  /** Every acknowledged object is there with its bytes, and none beside. Resolves with their number. */
  async verifyAll() {
    const listed = await this.list();
    const expected = [...this.#acknowledged.keys()].sort();
    if (listed.join('\n') !== expected.join('\n')) {
      throw new Error(`${listed.length} objects are listed where ${expected.length} were acknowledged`);
    }
    for (const key of expected) await this.check(key);
    return expected.length;
  }

  close() {
    this.#client.destroy();
  }
}
