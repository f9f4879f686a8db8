/** Whether what memcached holds is the store of this folder: a new deployment and a wiped memcached look alike there. */
import { LEVEL_ERRORS, LevelError } from '../plugin.js';
import type { Marker } from './marker.js';
import type { Root } from './root.js';

export interface Findings {
  readonly marker: Marker | undefined;
  readonly markerFile: string;
  readonly root: Root | undefined;
  readonly rootKey: string;
  /** The servers as set now. */
  readonly servers: readonly string[];
  readonly adopt: boolean;
  /** What to say of a root item that is not there. */
  readonly missingRoot: string;
}

/**
 * Resolves quietly when the root is that of the marker's store, or when there is no store yet.
 * @throws LevelError `corrupt` when there was a store and its root is missing or another one's, `unavailable`
 * when the settings must be changed.
 */
export function recognise(findings: Findings): void {
  const { marker, markerFile, root, rootKey, servers, adopt, missingRoot } = findings;
  if (marker !== undefined && marker.servers.join() !== servers.join()) {
    throw new LevelError(
      LEVEL_ERRORS.unavailable,
      `MEMCACHED_HOSTS is ${servers.join(',')}, but the metadata was written with ${marker.servers.join(',')}: ` +
        `their number and order decide where an item lies. Set it back`,
    );
  }
  if (root === undefined) {
    if (marker?.complete !== true) return;
    throw new LevelError(
      LEVEL_ERRORS.corrupt,
      `${missingRoot}. The metadata that was in it is lost; remove ${markerFile} to begin with none`,
    );
  }
  if (marker === undefined && !adopt) {
    throw new LevelError(
      LEVEL_ERRORS.unavailable,
      `memcached holds a store ("${rootKey}") that ${markerFile} does not know of. When no other metadata module ` +
        `uses it, set JSONMEMCACHED_ADOPT=true to open it; else give this one another JSONMEMCACHED_NAME`,
    );
  }
  if (marker !== undefined && root.space !== marker.space) {
    throw new LevelError(
      LEVEL_ERRORS.corrupt,
      `the memcached item "${rootKey}" belongs to another store than ${markerFile}: one of both was replaced`,
    );
  }
}
