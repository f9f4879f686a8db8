/**
 * A client of the cluster as an application has it: the AWS SDK as it comes, with its ordinary three tries, under a
 * name that stands for the addresses of both nodes. It keeps what was acknowledged.
 */
import { randomBytes, randomInt } from 'node:crypto';
import http from 'node:http';
import {
  CreateBucketCommand,
  DeleteObjectCommand,
  GetObjectCommand,
  ListObjectsV2Command,
  PutObjectCommand,
  S3Client,
} from '@aws-sdk/client-s3';
import { NODES } from './docker.mjs';
import { sha256 } from './s3.mjs';
import { KEYS, S3_PORT } from './stack.mjs';
import { sleep } from './waiting.mjs';

const BUCKET = 'cluster';
/** What S3_HOSTNAME of the stack is. */
export const HOST_NAME = 's3.cluster.test';
/** As often as the SDK tries a request: it does not try again by itself when a body breaks off that it has handed out. */
const READS = 3;
/**
 * The one thing that has to be set: the SDK waits for a silent connection for ever, and so for a node that is lost.
 * Longer than a call waits while a stand-by takes over.
 */
const SILENCE_MS = 6000;

const CONNECT_MS = 2000;

const KEYS_OF_EACH = 40;
const LARGEST_BYTES = 300_000;
const PAUSE_MS = 40;

export class Client {
  #name;
  #s3;
  #turn = 0;
  /** Key → SHA-256 of what was acknowledged last. */
  #acknowledged = new Map();
  /** Keys whose last request failed: nobody knows what they hold. */
  #unknown = new Set();

  constructor(name) {
    this.#name = name;
    this.#s3 = new S3Client({
      endpoint: `http://${HOST_NAME}:${S3_PORT}`,
      region: 'us-east-1',
      forcePathStyle: true,
      credentials: KEYS,
      requestHandler: {
        connectionTimeout: CONNECT_MS,
        socketTimeout: SILENCE_MS,
        httpAgent: new http.Agent({ keepAlive: true, lookup: bothNodes }),
      },
    });
  }

  get size() {
    return this.#acknowledged.size;
  }

  createBucket() {
    return this.#send(new CreateBucketCommand({ Bucket: BUCKET }), {});
  }

  /** Puts, reads and now and then deletes an object after the other, until `signal` is aborted. */
  async work(seen, signal) {
    while (!signal.aborted) {
      const turn = (this.#turn += 1);
      const key = `${this.#name}/${turn % KEYS_OF_EACH}`;
      await seen.request(`PUT ${key}`, tries => this.#put(key, tries));
      await seen.request(`GET ${key}`, tries => this.#check(key, tries));
      if (turn % 5 === 4) await seen.request(`DELETE ${key}`, tries => this.#delete(key, tries));
      await sleep(PAUSE_MS);
    }
  }

  async #put(key, tries) {
    const bytes = randomBytes(randomInt(1, LARGEST_BYTES));
    await this.#change(key, new PutObjectCommand({ Bucket: BUCKET, Key: key, Body: bytes }), tries);
    this.#acknowledged.set(key, sha256(bytes));
  }

  async #delete(key, tries) {
    await this.#change(key, new DeleteObjectCommand({ Bucket: BUCKET, Key: key }), tries);
    this.#acknowledged.delete(key);
  }

  async #change(key, command, tries) {
    this.#unknown.add(key);
    await this.#send(command, tries);
    this.#unknown.delete(key);
  }

  async #check(key, tries) {
    if (this.#unknown.has(key)) return;
    for (let read = 1; ; read += 1) {
      const { Body } = await this.#send(new GetObjectCommand({ Bucket: BUCKET, Key: key }), tries);
      let bytes;
      try {
        bytes = await Body.transformToByteArray();
      } catch (err) {
        if (read === READS) throw err;
        tries.count = (tries.count ?? 0) + 1;
        continue;
      }
      if (sha256(bytes) !== this.#acknowledged.get(key)) throw new Error('it has other bytes than were put');
      return;
    }
  }

  /** Every acknowledged object is listed and has its bytes, and no other is listed. Resolves with what is wrong. */
  async verify() {
    const wrong = [];
    const listed = new Set();
    let token;
    do {
      const page = await this.#send(
        new ListObjectsV2Command({ Bucket: BUCKET, Prefix: `${this.#name}/`, ContinuationToken: token }),
        {},
      );
      for (const { Key } of page.Contents ?? []) listed.add(Key);
      token = page.NextContinuationToken;
    } while (token !== undefined);
    for (const key of this.#acknowledged.keys()) {
      if (this.#unknown.has(key)) continue;
      if (!listed.has(key)) wrong.push(`${key} is not listed`);
      await this.#check(key, {}).catch(err => wrong.push(`${key}: ${err.name} ${err.message}`));
    }
    for (const key of listed) {
      if (!this.#acknowledged.has(key) && !this.#unknown.has(key)) wrong.push(`${key} should not be there`);
    }
    return wrong;
  }

  async #send(command, tries) {
    try {
      const answer = await this.#s3.send(command);
      tries.count = (tries.count ?? 0) + answer.$metadata.attempts - 1;
      return answer;
    } catch (err) {
      tries.count = (tries.count ?? 0) + (err.$metadata?.attempts ?? 1) - 1;
      throw err;
    }
  }

  close() {
    this.#s3.destroy();
  }
}

/** In place of a name server that knows the name by both addresses and gives them in turn. */
let asked = 0;
function bothNodes(_hostname, options, callback) {
  asked += 1;
  const addresses = NODES.map(({ address }) => ({ address, family: 4 }));
  if (asked % 2 === 0) addresses.reverse();
  if (options.all) callback(null, addresses);
  else callback(null, addresses[0].address, 4);
}
