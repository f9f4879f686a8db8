/* global rs, db, quit */
// The health check of MongoDB, run by mongosh. The first one initiates the replica set of one, later ones find it
// there, so that nobody has to run a command. Healthy means that it takes writes, or follows another member that does.
try {
  rs.status();
} catch (err) {
  if (err.codeName !== 'NotYetInitialized') throw err;
  // "mongodb" is this container's own hostname: it resolves before Swarm publishes the service's name.
  rs.initiate({ _id: 'rs0', members: [{ _id: 0, host: 'mongodb:27017' }] });
}
const { isWritablePrimary, secondary, primary } = db.hello();
if (!isWritablePrimary && !(secondary && primary)) quit(1);
