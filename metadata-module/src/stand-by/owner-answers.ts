import http from 'node:http';
import { type OwnerAddress, splitAddress } from './address.js';
import { connect } from './door.js';

const ANSWER_MS = 2000;

/**
 * Resolves when the owner takes connections of this process. Its ALLOW_FROM closes them after they were made, so that
 * an answer is waited for; over TLS it would say something to none but a client, and only the connection is made.
 */
export async function answers({ plain, tls }: OwnerAddress, signal: AbortSignal): Promise<void> {
  if (plain !== undefined) return getAnything(plain, signal);
  if (tls === undefined) throw new Error('the owner of the store does not say where it is reached');
  (await connect(tls, signal)).destroy();
}

function getAnything(address: string, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const request = http.get({ ...splitAddress(address), agent: false, signal }, response => {
      response.resume();
      resolve();
    });
    request.setTimeout(ANSWER_MS, () => request.destroy(new Error(`no answer within ${ANSWER_MS} ms`)));
    request.on('error', err =>
      reject(
        new Error(`the owner at ${address} takes no connection from here: ${err.message}`, { cause: err }),
      ),
    );
  });
}
