/** Says where CloudServer says it, on port 8002 inside the container alone, whether s3-front is ready. */
import http from 'node:http';

const PROBES = `http://127.0.0.1:${process.env.S3_PROBE_PORT}`;

http
  .createServer((request, response) => {
    if (request.url !== '/ready') {
      response.writeHead(404).end();
      return;
    }
    http
      .get(`${PROBES}/_/ready`, answer => {
        response.writeHead(answer.statusCode);
        answer.pipe(response);
      })
      .on('error', () => response.writeHead(503).end());
  })
  .listen(8002, '127.0.0.1');
