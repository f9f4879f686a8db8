/** The same requests, to a module of several processes. */
process.env.TEST_DATA_WORKERS = '2';
await import('./hostile-requests.test.js');
