/** Lists of parts and of uploads, in pages. */
import assert from 'node:assert/strict';
import test from 'node:test';
import { assertClean, Bucket, sendParts, SMALL, startWithBucket } from '../testing/multipart-uploads.js';

test('lists of multipart uploads', async t => {
  const stack = await startWithBucket(t);
  const { s3 } = stack;

  await t.test('parts and uploads are listed in pages', async () => {
    const { UploadId } = await sendParts(s3, 'dir/a', [SMALL, SMALL, SMALL]);
    const numbers: (number | undefined)[] = [];
    let PartNumberMarker: string | undefined;
    do {
      const page = await s3.listParts({ Bucket, Key: 'dir/a', UploadId, MaxParts: 2, PartNumberMarker });
      numbers.push(...(page.Parts ?? []).map(({ PartNumber }) => PartNumber));
      PartNumberMarker = page.NextPartNumberMarker;
    } while (PartNumberMarker !== undefined);
    assert.deepEqual(numbers, [1, 2, 3]);

    const begun = ['dir/a', 'dir/a', 'dir/b', 'dir-c', 'e&f', '😀'];
    for (const Key of begun.slice(1)) await s3.createMultipartUpload({ Bucket, Key });
    for (const MaxUploads of [1, 2, 1000]) {
      const listed: (string | undefined)[] = [];
      const ids = new Set<string | undefined>();
      let marker: { KeyMarker?: string | undefined; UploadIdMarker?: string | undefined } = {};
      for (;;) {
        const page = await s3.listMultipartUploads({ Bucket, MaxUploads, EncodingType: 'url', ...marker });
        for (const { Key, UploadId: id } of page.Uploads ?? []) {
          listed.push(decodeURIComponent(Key ?? ''));
          ids.add(id);
        }
        if (page.IsTruncated !== true) break;
        assert.equal(page.Uploads?.length, MaxUploads);
        const key = decodeURIComponent(page.NextKeyMarker ?? '');
        marker = { KeyMarker: key, UploadIdMarker: page.NextUploadIdMarker };
      }
      assert.deepEqual([...listed].sort(), [...begun].sort());
      assert.equal(ids.size, begun.length);
    }
    const grouped = await s3.listMultipartUploads({ Bucket, Delimiter: '/', MaxUploads: 2 });
    assert.deepEqual(
      grouped.CommonPrefixes?.map(({ Prefix }) => Prefix),
      ['dir/'],
    );
    const rest = await s3.listMultipartUploads({
      Bucket,
      Delimiter: '/',
      KeyMarker: grouped.NextKeyMarker,
      UploadIdMarker: grouped.NextUploadIdMarker,
    });
    assert.equal((grouped.Uploads?.length ?? 0) + (rest.Uploads?.length ?? 0), 3);
    const under = await s3.listMultipartUploads({ Bucket, Prefix: 'dir/' });
    assert.deepEqual(
      under.Uploads?.map(({ Key }) => Key),
      ['dir/a', 'dir/a', 'dir/b'],
    );
    const { Uploads = [] } = await s3.listMultipartUploads({ Bucket });
    for (const { Key, UploadId: id } of Uploads) await s3.abortMultipartUpload({ Bucket, Key, UploadId: id });
    await assertClean(stack);
  });
});
