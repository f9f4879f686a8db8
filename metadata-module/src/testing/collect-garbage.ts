/** Imported into a daemon under test: collects all garbage on SIGUSR2, so that what stays can be measured. */
import { collectGarbage } from '@zenko-modules/common/testing/collect-garbage';

process.on('SIGUSR2', () => collectGarbage());
