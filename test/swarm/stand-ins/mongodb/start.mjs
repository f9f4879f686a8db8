// Runs the server, which listens on 127.0.0.1 alone, and lets the other containers reach it on port 27017.
import { spawn } from 'node:child_process';
import net from 'node:net';
import { pipeline } from 'node:stream';

const PRIVATE_PORT = 27018;
const server = spawn(
  'java',
  [
    '-Xmx512m',
    '-XX:+UseSerialGC',
    '-XX:TieredStopAtLevel=1',
    '-Dorg.slf4j.simpleLogger.defaultLogLevel=warn',
    '-cp',
    '/opt/mongodb/classes:/opt/mongodb/lib/*',
    'MongoStandIn',
    String(PRIVATE_PORT),
    '/data/db/mongo.h2',
  ],
  { stdio: 'inherit' },
);
server.on('exit', code => process.exit(code ?? 1));
for (const signal of ['SIGTERM', 'SIGINT']) process.on(signal, () => server.kill(signal));

const cut = err => {
  if (err) console.error(err.message);
};
net
  .createServer(outside => {
    const inside = net.connect(PRIVATE_PORT, '127.0.0.1');
    pipeline(outside, inside, cut);
    pipeline(inside, outside, cut);
  })
  .listen(27017, '0.0.0.0');
