import assert from 'node:assert/strict';
import test from 'node:test';
import type { ObjectValue } from '../object-value.js';
import { RECORDED } from '../testing/recorded-values.js';
import { BEFORE_VERSIONING, planWrite } from './write-plan.js';

/** The cases that CloudServer was recorded in, and what it did. */
const object = JSON.parse(RECORDED.object) as ObjectValue;
const ID = '98204703444444999999RG001  0';
const ENABLED = { Status: 'Enabled' } as const;
const SUSPENDED = { Status: 'Suspended' } as const;
const location = object.location ?? [];

test('without versioning a value takes the place of the one before and frees its data', () => {
  assert.deepEqual(planWrite(null, undefined), { putOptions: {}, members: {}, freed: [] });
  assert.deepEqual(planWrite(null, object), { putOptions: {}, members: {}, freed: location });
});

test('with versioning a value is a version, and nothing is freed', () => {
  const version = { putOptions: { versioning: true }, freed: [] };
  assert.deepEqual(planWrite(ENABLED, undefined), { ...version, members: {} });
  assert.deepEqual(planWrite(ENABLED, { ...object, versionId: ID }), { ...version, members: {} });
  const withNull = { ...object, versionId: ID, nullVersionId: BEFORE_VERSIONING };
  assert.deepEqual(planWrite(ENABLED, withNull), {
    ...version,
    members: { nullVersionId: BEFORE_VERSIONING },
  });
});

test('with versioning a value from before it, or put while it was suspended, is kept as the null version', () => {
  for (const [current, id] of [
    [object, BEFORE_VERSIONING],
    [{ ...object, isNull: true, versionId: ID }, ID],
  ] as const) {
    assert.deepEqual(planWrite(ENABLED, current), {
      keepNullAs: id,
      putOptions: { versioning: true },
      members: { nullVersionId: id },
      freed: [],
    });
  }
});

test('with versioning suspended a value takes the place of the null version', () => {
  const plan = { putOptions: { versionId: '' }, members: { isNull: true } };
  const lookUp = ['null'];
  assert.deepEqual(planWrite(SUSPENDED, undefined), { ...plan, freed: [], replaceNull: lookUp });
  assert.deepEqual(planWrite(SUSPENDED, { ...object, versionId: ID }), {
    ...plan,
    freed: [],
    replaceNull: lookUp,
  });
  assert.deepEqual(planWrite(SUSPENDED, { ...object, versionId: ID, nullVersionId: BEFORE_VERSIONING }), {
    ...plan,
    freed: [],
    replaceNull: [BEFORE_VERSIONING],
  });
  assert.deepEqual(planWrite(SUSPENDED, { ...object, isNull: true, versionId: ID }), {
    ...plan,
    freed: location,
    replaceNull: [ID],
  });
  const withLeft = { ...object, isNull: true, versionId: ID, nullVersionId: BEFORE_VERSIONING };
  assert.deepEqual(planWrite(SUSPENDED, withLeft), {
    ...plan,
    freed: location,
    replaceNull: [ID, BEFORE_VERSIONING],
  });
  assert.deepEqual(planWrite(SUSPENDED, object), { ...plan, freed: location });
  const newForm = { ...object, isNull: true, isNull2: true, versionId: ID };
  assert.deepEqual(planWrite(SUSPENDED, newForm), { ...plan, freed: location });
});
