/** The verbs, in the order in which the help names them. */
import { addBackup, addRestore } from '../backup/backup-verbs.js';
import { addCat, addLs } from '../objects/objects-verbs.js';
import { addPut } from '../objects/put-verb.js';
import { addRm } from '../objects/rm-verb.js';
import { addOrphans } from '../orphans/orphans-verb.js';
import { addLag } from '../parts/lag-verb.js';
import { addAccounts, addPause, addRedrive, addResume, addStatus } from '../parts/parts-verbs.js';
import { addScrub } from '../scrub/scrub-verb.js';
import { addVerify } from '../verify/verify-verb.js';
import type { AddVerb } from './verb.js';

export const VERBS: readonly AddVerb[] = [
  addVerify,
  addOrphans,
  addBackup,
  addRestore,
  addScrub,
  addStatus,
  addLs,
  addCat,
  addPut,
  addRm,
  addLag,
  addPause,
  addResume,
  addRedrive,
  addAccounts,
];
