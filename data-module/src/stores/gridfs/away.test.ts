import { untilServerComesBack } from '@zenko-modules/common/testing/mongodb-damage';
import { ownMongodbMissing, startOwnMongodb } from '@zenko-modules/common/testing/mongodb-server';
import { testBackendAway } from '../../testing/backend-away.js';

const MiB = 1024 * 1024;

testBackendAway({
  name: 'gridfs',
  skip: ownMongodbMissing,
  uploadBytes: 4 * MiB,
  longerThanDeadlineMs: 4500,
  around: untilServerComesBack,
  start: async t => {
    const server = await startOwnMongodb(t);
    return {
      port: server.port,
      kill: () => server.stop('SIGKILL'),
      restart: () => server.start(),
      env: at => ({
        DATA_BACKEND: 'gridfs',
        MONGODB_URL: `mongodb://127.0.0.1:${at}/?directConnection=true`,
        MONGODB_TIMEOUT_MS: '4000',
        MONGODB_SOCKET_TIMEOUT_MS: '6000',
      }),
    };
  },
});
