import { testCrash } from './testing/crash-run.js';

testCrash({ name: 'leveldown', kills: 4, env: () => Promise.resolve({}) });
