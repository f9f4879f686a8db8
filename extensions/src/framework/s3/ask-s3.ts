/**
 * Asks S3 how it is, when an error of a message cannot tell. A signed GET is the question: its answer has a
 * body that names what is wrong, which that of a HEAD has not.
 */
import { ListBucketsCommand, ListObjectsV2Command, type S3Client } from '@aws-sdk/client-s3';
import { failureKind } from '../processor/failures.js';

/**
 * - `well`: it knows our credentials and answers, be it that we may not look;
 * - `failing`: it answers 500 to what every client may ask;
 * - `away`: it cannot be reached, or says that it cannot work now;
 * - `credentials`: it does not take ours.
 */
export type S3State = 'well' | 'failing' | 'away' | 'credentials';

const ANSWER_WITHIN_MS = 5000;
/** Many messages fail at once when S3 is away: they share one answer that is not older than this. */
const FRESH_MS = 1000;

export type AskS3 = (bucket: string | undefined) => Promise<S3State>;

/** @param client signs as the messages' requests do, and does not retry. */
export function createAskS3(client: S3Client): AskS3 {
  const answers = new Map<string, Promise<S3State>>();
  return bucket => {
    const about = bucket ?? '';
    let answer = answers.get(about);
    if (!answer) {
      answer = ask(client, bucket);
      answers.set(about, answer);
      const forget = (): void => void answers.delete(about);
      void answer.finally(() => setTimeout(forget, FRESH_MS).unref());
    }
    return answer;
  };
}

async function ask(client: S3Client, bucket: string | undefined): Promise<S3State> {
  const ofBucket = bucket === undefined ? undefined : await stateBy(client, bucket);
  // One bucket that fails is no S3 that fails; and a name that is none may be signed otherwise than S3 reads it.
  if (ofBucket === 'well' || ofBucket === 'away') return ofBucket;
  return (await stateBy(client)) ?? 'away';
}

/** `undefined` when no question could be made: the SDK refuses names that no bucket can have. */
async function stateBy(client: S3Client, Bucket?: string): Promise<S3State | undefined> {
  const abort = new AbortController();
  const timer = setTimeout(() => abort.abort(), ANSWER_WITHIN_MS);
  try {
    const options = { abortSignal: abort.signal };
    if (Bucket === undefined) await client.send(new ListBucketsCommand({ MaxBuckets: 1 }), options);
    else await client.send(new ListObjectsV2Command({ Bucket, MaxKeys: 1 }), options);
    return 'well';
  } catch (err) {
    if (abort.signal.aborted) return 'away';
    const { $metadata } = err as { $metadata?: { httpStatusCode?: number } };
    const status = $metadata?.httpStatusCode;
    const kind = failureKind(err);
    if (kind === 'credentials') return 'credentials';
    if (status === undefined && kind === 'other') return undefined;
    if (status === undefined || kind === 'throttled') return 'away';
    // S3 names what is not there: this is another server, such as one before S3 that has no way to it.
    if (status === 404 && kind !== 'gone') return 'away';
    if (status === 500) return 'failing';
    return status > 500 ? 'away' : 'well';
  } finally {
    clearTimeout(timer);
  }
}
