/** The filter of an extension, as its section asks for it. */
import type { Logger } from '@zenko-modules/common/logger';
import type { ActiveExtension } from '../loader/load-extensions.js';
import type { NamedFilter } from './filtering.js';

/** `undefined` for an extension that has none. */
export function createFilter(
  { extension, config, section }: ActiveExtension,
  log: Logger,
): NamedFilter | undefined {
  const { name, queuePopulatorExtension: Filter } = extension;
  if (!Filter) return undefined;
  const logger = log.child({ extension: name });
  const { topic, maxBacklog } = section;
  return { name, filter: new Filter({ config: config as never, logger }), topic, maxBacklog };
}
