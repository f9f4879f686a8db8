/** mongodown: an abstract-leveldown over MongoDB, for one writer at a time. README.md says how, and why it holds. */
export { mongodownPlugin } from './mongodown-plugin.js';
export { MongoDown, type MongoDownOptions } from './mongodown.js';
