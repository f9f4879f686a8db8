/** helloWorld: an object whose key is "helloworld", in any case, gets the tag `hello=world`. */
import type { Extension } from '../../framework/contract/extension.js';
import { validateHelloWorldConfig } from './config.js';
import { HelloWorldPopulator } from './populator.js';
import { HelloWorldProcessor } from './processor.js';

export const helloWorld: Extension = {
  name: 'helloWorld',
  version: '1.0.0',
  configValidator: validateHelloWorldConfig,
  queuePopulatorExtension: HelloWorldPopulator,
  queueProcessor: HelloWorldProcessor,
};
