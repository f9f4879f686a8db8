/**
 * mongodown: an abstract-leveldown over MongoDB 4.4 or newer, without sessions and transactions, for one
 * writer at a time. Batches are atomic and acknowledged by a majority's journals after one round trip.
 *
 * - takeover.ts: how a process becomes the only one that can change the store; lease.ts, generation.ts and
 *   recovery.ts are its three steps, layout.ts names what lies in the database.
 * - store.ts: how an open store writes (journal-writer.ts, applier.ts) and reads (data-reader.ts,
 *   overlay.ts).
 * - mongodown.ts, iterator.ts: the same as an abstract-leveldown.
 */
export { MONGODB_SETTINGS } from './mongodb-settings.js';
export { mongodownPlugin } from './mongodown-plugin.js';
export { MongoDown, type MongoDownOptions } from './mongodown.js';
