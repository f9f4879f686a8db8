/** Imported into a daemon under test: collects all garbage on SIGUSR2, so that what stays can be measured. */
import v8 from 'node:v8';
import vm from 'node:vm';

v8.setFlagsFromString('--expose-gc');
const collect = vm.runInNewContext('gc') as () => void;
process.on('SIGUSR2', () => collect());
