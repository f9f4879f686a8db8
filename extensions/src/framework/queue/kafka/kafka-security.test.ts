import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import test, { type TestContext } from 'node:test';
import { promisify } from 'node:util';
import { silentLogger } from '@zenko-modules/common/logger';
import { readSettings } from '@zenko-modules/common/settings';
import { temporaryFolder } from '@zenko-modules/common/testing/temporary-folder';
import { findInPath, freePort, startTestServer } from '@zenko-modules/common/testing/test-server';
import { QUEUE_SETTINGS } from '../../extension-settings.js';
import { kafkaJars, ownKafkaMissing } from '../../../testing/kafka-broker.js';
import { eventually } from '../../../testing/eventually.js';
import { openQueue } from '../open-queue.js';

const run = promisify(execFile);
const JAVA = findInPath('java') ?? 'java';
const skip = ownKafkaMissing || (findInPath('openssl') === undefined && 'needs openssl in PATH');

interface SecuredBroker {
  /** Ports by listener. */
  readonly ports: Readonly<Record<'SSL' | 'SASL_PLAINTEXT' | 'SASL_SSL', number>>;
  /** PEM of the authority that signed the broker's certificate. */
  readonly ca: string;
}

/** A certificate for 127.0.0.1 that is its own authority, as PEM of the key and of the certificate. */
async function certificate(folder: string): Promise<{ key: string; cert: string }> {
  const [key, cert] = [path.join(folder, 'key.pem'), path.join(folder, 'cert.pem')];
  const subject = ['-subj', '/CN=127.0.0.1', '-addext', 'subjectAltName=IP:127.0.0.1'];
  await run('openssl', [
    'req',
    '-x509',
    '-newkey',
    'rsa:2048',
    '-nodes',
    '-days',
    '1',
    '-keyout',
    key,
    '-out',
    cert,
    ...subject,
  ]);
  return { key: await readFile(key, 'utf8'), cert: await readFile(cert, 'utf8') };
}

/** One broker with TLS, with login, and with both. Users: `alice` by PLAIN, `bob` by SCRAM. */
async function startSecuredBroker(t: TestContext): Promise<SecuredBroker> {
  const folder = await temporaryFolder(t);
  await mkdir(path.join(folder, 'data'));
  const { key, cert } = await certificate(folder);
  const [ssl, plain, both, controller] = [
    await freePort(),
    await freePort(),
    await freePort(),
    await freePort(),
  ];
  const line = (pem: string): string => pem.trim().split('\n').join('\\n');
  const listeners = `SSL://127.0.0.1:${ssl},SASL_PLAINTEXT://127.0.0.1:${plain},SASL_SSL://127.0.0.1:${both}`;
  const jaas = (name: string): string[] => [
    `listener.name.${name}.sasl.enabled.mechanisms=PLAIN,SCRAM-SHA-256,SCRAM-SHA-512`,
    `listener.name.${name}.plain.sasl.jaas.config=org.apache.kafka.common.security.plain.PlainLoginModule required user_alice="alice-secret";`,
    ...['256', '512'].map(
      bits =>
        `listener.name.${name}.scram-sha-${bits}.sasl.jaas.config=org.apache.kafka.common.security.scram.ScramLoginModule required;`,
    ),
  ];
  const properties = [
    'process.roles=broker,controller',
    'node.id=1',
    `controller.quorum.voters=1@127.0.0.1:${controller}`,
    `listeners=${listeners},CONTROLLER://127.0.0.1:${controller}`,
    `advertised.listeners=${listeners}`,
    'listener.security.protocol.map=SSL:SSL,SASL_PLAINTEXT:SASL_PLAINTEXT,SASL_SSL:SASL_SSL,CONTROLLER:PLAINTEXT',
    'controller.listener.names=CONTROLLER',
    'inter.broker.listener.name=SSL',
    `log.dirs=${folder}/data`,
    'offsets.topic.num.partitions=1',
    'offsets.topic.replication.factor=1',
    'transaction.state.log.num.partitions=1',
    'transaction.state.log.replication.factor=1',
    'transaction.state.log.min.isr=1',
    'group.initial.rebalance.delay.ms=0',
    'ssl.keystore.type=PEM',
    `ssl.keystore.key=${line(key)}`,
    `ssl.keystore.certificate.chain=${line(cert)}`,
    'ssl.truststore.type=PEM',
    `ssl.truststore.certificates=${line(cert)}`,
    ...jaas('sasl_plaintext'),
    ...jaas('sasl_ssl'),
  ];
  const file = path.join(folder, 'server.properties');
  await writeFile(file, `${properties.join('\n')}\n`);
  const jvm = ['-Xmx320m', '-XX:+UseSerialGC', '-XX:TieredStopAtLevel=1', '-cp', `${kafkaJars()}/*`];
  const scram = ['256', '512'].flatMap(bits => [
    '--add-scram',
    `SCRAM-SHA-${bits}=[name=bob,password=bob-secret]`,
  ]);
  await run(JAVA, [
    ...jvm,
    'kafka.tools.StorageTool',
    'format',
    '-t',
    'MkU3OEVBNTcwNTJENDM2Qg',
    '-c',
    file,
    ...scram,
  ]);
  await startTestServer(t, { program: JAVA, args: [...jvm, 'kafka.Kafka', file], port: ssl });
  return { ports: { SSL: ssl, SASL_PLAINTEXT: plain, SASL_SSL: both }, ca: cert };
}

test('brokers with TLS, PLAIN and SCRAM', { skip, timeout: 240_000 }, async t => {
  const { ports, ca } = await startSecuredBroker(t);
  const folder = await temporaryFolder(t);
  await writeFile(path.join(folder, 'ca.pem'), ca);
  await writeFile(path.join(folder, 'password'), 'bob-secret\n');
  const tls = { KAFKA_TLS: 'true', KAFKA_TLS_CA_FILE: path.join(folder, 'ca.pem') };
  const alice = {
    KAFKA_SASL_MECHANISM: 'plain',
    KAFKA_SASL_USER: 'alice',
    KAFKA_SASL_PASSWORD: 'alice-secret',
  };
  const bob = { KAFKA_SASL_USER: 'bob', KAFKA_SASL_PASSWORD_FILE: path.join(folder, 'password') };

  const open = (port: number, env: Record<string, string>) => {
    const settings = readSettings(QUEUE_SETTINGS, { KAFKA_HOSTS: `127.0.0.1:${port}`, ...env });
    return openQueue(settings, settings.KAFKA_HOSTS, silentLogger());
  };
  const goesThrough: [string, number, Record<string, string>][] = [
    ['TLS', ports.SSL, tls],
    ['PLAIN', ports.SASL_PLAINTEXT, alice],
    ['SCRAM-SHA-256', ports.SASL_PLAINTEXT, { ...bob, KAFKA_SASL_MECHANISM: 'scram-sha-256' }],
    ['SCRAM-SHA-512 over TLS', ports.SASL_SSL, { ...tls, ...bob, KAFKA_SASL_MECHANISM: 'scram-sha-512' }],
  ];
  for (const [name, port, env] of goesThrough) {
    await t.test(`${name} carries messages`, async () => {
      const queue = await open(port, env);
      const [topic, got] = [`t-${randomUUID()}`, [] as string[]];
      try {
        await queue.publish(topic, [{ key: 'k', value: name }]);
        const handle = ({ value }: { value: string }): Promise<void> => Promise.resolve(void got.push(value));
        await queue.consume({ topic, group: topic, concurrency: 1, handle });
        await eventually(() => got.length === 1, 'it came');
        await queue.ready();
      } finally {
        await queue.close();
      }
      assert.deepEqual(got, [name]);
    });
  }

  const isRefused: [string, number, Record<string, string>, RegExp][] = [
    ['an authority that is not ours', ports.SSL, { KAFKA_TLS: 'true' }, /self-signed certificate/],
    [
      'a wrong password',
      ports.SASL_PLAINTEXT,
      { ...alice, KAFKA_SASL_PASSWORD: 'guess' },
      /authentication failed/i,
    ],
  ];
  for (const [name, port, env, message] of isRefused) {
    await t.test(`${name} is refused, and the reason is told`, async () => {
      const queue = await open(port, env);
      try {
        await assert.rejects(queue.publish('t', [{ key: 'k', value: 'v' }]), {
          code: 'UNAVAILABLE',
          message,
        });
        await assert.rejects(queue.ready(), { code: 'UNAVAILABLE', message });
      } finally {
        await queue.close();
      }
    });
  }
});
