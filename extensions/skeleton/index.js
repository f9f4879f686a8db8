// The extension: what the populator and the processor load. `api` brings what it needs of the framework,
// so that this folder works wherever it lies.
import { configValidator } from './config.js';
import { createPopulator } from './populator.js';
import { createProcessor } from './processor.js';

export default api => ({
  name: 'myExtension',
  version: '1.0.0',
  configValidator,
  queuePopulatorExtension: createPopulator(api),
  queueProcessor: createProcessor(api),
});
