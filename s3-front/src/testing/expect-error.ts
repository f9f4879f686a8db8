import assert from 'node:assert/strict';
import { S3ServiceException } from '@aws-sdk/client-s3';

/** Asserts that a call of the SDK is refused with this code and status. An answer to HEAD has no code. */
export async function refused(call: Promise<unknown>, code: string, status: number): Promise<void> {
  await assert.rejects(call, (err: unknown) => {
    assert.ok(err instanceof S3ServiceException, String(err));
    assert.equal(err.$metadata.httpStatusCode, status, `${err.name}: ${err.message}`);
    assert.equal(err.name, code, err.message);
    return true;
  });
}
