/** S3 as a user of the stack has it: the AWS SDK, with its own retries. */
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
import { until } from './waiting.mjs';

const BUCKET = 'swarm';
/** Enough to bridge the restart of a module: the waits double from 0.1 s up to 20 s. */
const SDK_ATTEMPTS = 12;
const TAG_DEADLINE_MS = 60_000;

export const sha256 = bytes => createHash('sha256').update(bytes).digest('hex');

/** The store as seen through one node, and a record of what it acknowledged. */
export class Bucket {
  #client;
  /** Key → SHA-256 of what was acknowledged last. */
  #acknowledged = new Map();

  constructor(address) {
    this.#client = new S3Client({
      endpoint: `http://${address}:${S3_PORT}`,
      region: 'us-east-1',
      forcePathStyle: true,
      maxAttempts: SDK_ATTEMPTS,
      credentials: KEYS,
      requestHandler: { connectionTimeout: 5000, socketTimeout: 20_000 },
    });
  }

  get size() {
    return this.#acknowledged.size;
  }

  #send(command) {
    return this.#client.send(command, { abortSignal: globalThis.AbortSignal.timeout(120_000) });
  }

  async create() {
    return until('the bucket', 120_000, () => this.#send(new CreateBucketCommand({ Bucket: BUCKET })));
  }

  async put(key, bytes = randomBytes(1024)) {
    const { $metadata } = await this.#send(new PutObjectCommand({ Bucket: BUCKET, Key: key, Body: bytes }));
    this.#acknowledged.set(key, sha256(bytes));
    return $metadata.attempts;
  }

  /** Reads an object and compares it with what was acknowledged. */
  async check(key) {
    const { $metadata, Body } = await this.#send(new GetObjectCommand({ Bucket: BUCKET, Key: key }));
    const bytes = await Body.transformToByteArray();
    if (sha256(bytes) !== this.#acknowledged.get(key))
      throw new Error(`${key} has other bytes than were put`);
    return $metadata.attempts;
  }

  async delete(key) {
    const { $metadata } = await this.#send(new DeleteObjectCommand({ Bucket: BUCKET, Key: key }));
    this.#acknowledged.delete(key);
    return $metadata.attempts;
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
