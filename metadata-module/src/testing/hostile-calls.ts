/** Arguments of `call` as somebody sends them who knows the protocol and means harm, or has a bug. */
import fc from 'fast-check';

const NAMES = [
  'put',
  'get',
  'del',
  'createReadStream',
  'rawListKeys',
  'getUUID',
  'getDiskUsage',
  'getManifest',
  'compareAndSwap',
  'readMembers',
  'getMany',
];
const LOG_NAMES = ['readRecords', 'pruneRecords', 'forgetReader', 'listReaders', 'createLogRecordOps'];
const ODD_NAMES = [
  '',
  '__proto__',
  'constructor',
  'toString',
  'hasOwnProperty',
  'PUT',
  'call',
  'x'.repeat(10_000),
];

const odd = fc.constantFrom<unknown>(
  null,
  true,
  0,
  -1,
  1.5,
  1e308,
  '',
  '\0',
  'a\0b',
  '!',
  '#',
  '\ud800',
  'x'.repeat(20_000),
  '..recordLogs',
  's3-recordlog',
  [],
  {},
  [[]],
  { $streamId: 'x', readable: true, writable: false },
  { $streamId: '0', readable: false, writable: true },
  { length: 3 },
  { toString: 1, valueOf: null, toJSON: 'x' },
  { versionId: { a: 1 } },
  { versionId: '\0' },
  { versioning: {}, isNull: 'yes' },
  { ifCurrent: 'x' },
  { ifCurrent: { sha256: null }, ifEntry: { subLevel: [{}], key: '\0' } },
  { members: ['a', '__proto__'] },
  [[['a'], 'k', {}], []],
  { limit: -2 },
  { limit: 'many' },
  { limit: 1e30 },
  { gt: 5, lt: [] },
  { startSeq: -1 },
  { startSeq: '1e5' },
  { startSeq: '9999999999999999' },
  { reader: '../../etc' },
  { reverse: 'yes' },
  nested(2000),
  JSON.parse('{"__proto__":{"versioning":true},"constructor":{"prototype":1}}'),
);

const anything: fc.Arbitrary<unknown> = fc.oneof(
  { weight: 3, arbitrary: odd },
  { weight: 1, arbitrary: fc.jsonValue() },
  { weight: 1, arbitrary: fc.constantFrom('key', '{"n":1}', 'bucket') },
);

const callArguments = fc.oneof(
  {
    weight: 5,
    arbitrary: fc.record(
      {
        rpcArgs: fc.oneof(
          { weight: 5, arbitrary: fc.array(anything, { maxLength: 5 }) },
          { weight: 1, arbitrary: anything },
        ),
        subLevel: fc.oneof(
          { weight: 2, arbitrary: fc.constant(['fuzz']) },
          { weight: 1, arbitrary: fc.array(anything, { maxLength: 3 }) },
          { weight: 1, arbitrary: anything },
        ),
        reqUids: anything,
        logName: anything,
      },
      { requiredKeys: [] },
    ),
  },
  { weight: 1, arbitrary: anything },
);

const name = fc.oneof(
  { weight: 5, arbitrary: fc.constantFrom<unknown>(...NAMES, ...LOG_NAMES) },
  { weight: 1, arbitrary: fc.constantFrom<unknown>(...ODD_NAMES) },
  { weight: 1, arbitrary: anything },
);

/** The arguments of one `call` event, the function for the answer left out. */
export const hostileCall: fc.Arbitrary<readonly unknown[]> = fc.oneof(
  { weight: 8, arbitrary: fc.tuple(name, callArguments) },
  { weight: 1, arbitrary: fc.array(anything, { maxLength: 4 }) },
);

/** Bodies for engine.io's polling transport: packets that are cut, mislabelled, or no packets at all. */
export const hostilePacket: fc.Arbitrary<string> = fc.oneof(
  fc.constantFrom(
    '4',
    '42',
    '40',
    '40/MDFile/metadata,',
    '40/MDFile/metadata,{"a":',
    '42/MDFile/metadata,["call"',
    '42/MDFile/metadata,["call"]',
    '42/MDFile/metadata,0["call","put"]',
    '42/MDFile/metadata,99999999999999999999["call","put",{}]',
    '42/MDFile/metadata,["error"]',
    '42/MDFile/metadata,["newListener"]',
    '42["error",1]',
    '43/MDFile/metadata,0[]',
    '44/MDFile/metadata,"x"',
    '41/MDFile/metadata,',
    '451-/MDFile/metadata,0["call","put",{"_placeholder":true,"num":0}]',
    '451-/MDFile/metadata,0["call",{"_placeholder":true,"num":9}]\u001ebAAAA',
    `451-/MDFile/metadata,0["call",${'['.repeat(20_000)}${']'.repeat(20_000)}]\u001ebAAAA`,
    '45999999-/MDFile/metadata,["call"]',
    '49',
    '6',
    '9',
    'b',
    '\u001e\u001e\u001e',
  ),
  fc.string({ maxLength: 50 }),
  fc.string({ maxLength: 30 }).map(text => `42/MDFile/metadata,${text}`),
);

function nested(depth: number): unknown {
  let value: unknown = 'x';
  for (let level = 0; level < depth; level += 1) value = level % 2 ? [value] : { a: value };
  return value;
}
