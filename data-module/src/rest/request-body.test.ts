import assert from 'node:assert/strict';
import { IncomingMessage } from 'node:http';
import { Socket } from 'node:net';
import test from 'node:test';
import { collectGarbage } from '@zenko-modules/common/testing/collect-garbage';
import { isErrorType } from '@zenko-modules/common/errors';
import { readSmallBody } from './request-body.js';

const PIECE_MEMORY = 64 * 1024;
const PIECES = 1000;

const request = (): IncomingMessage => new IncomingMessage(new Socket());

test('a body that comes byte by byte is whole, and takes its own size in memory', async () => {
  const req = request();
  const body = readSmallBody(req, PIECES);
  collectGarbage();
  const before = process.memoryUsage().arrayBuffers;
  for (let i = 0; i < PIECES; i += 1) {
    // What the bytes of a packet lie in is larger than they are.
    req.push(Buffer.alloc(PIECE_MEMORY, i).subarray(0, 1));
    await new Promise(setImmediate);
  }
  collectGarbage();
  const held = process.memoryUsage().arrayBuffers - before;
  assert.ok(held < (PIECES * PIECE_MEMORY) / 4, `${held} bytes`);
  req.push(null);
  assert.deepEqual(await body, Buffer.from(Array.from({ length: PIECES }, (_, i) => i)));
});

test('a body in one piece, in two, or of no bytes is whole', async () => {
  for (const pieces of [['bytes'], ['by', 'tes'], []]) {
    const req = request();
    const whole = pieces.join('');
    const body = readSmallBody(req, whole.length);
    for (const piece of pieces) req.push(Buffer.from(piece));
    req.push(null);
    assert.equal(String(await body), whole);
  }
});

test('what ends before it is whole is no body', async () => {
  const req = request();
  const body = readSmallBody(req, 5);
  req.push(Buffer.from('by'));
  req.push(null);
  await assert.rejects(body, err => isErrorType(err, 'IncompleteBody'));
});
