/**
 * Asks the registry for known weaknesses of the packages that run, and ends with 1 when one is high or critical. Where
 * there is no registry, or it knows of none, it says so and ends with 0: that is no finding.
 */
import { spawnSync } from 'node:child_process';

const REFUSED = ['high', 'critical'];

const ARGS = ['audit', '--omit=dev', '--json', '--fetch-retries=1', '--fetch-retry-mintimeout=1000'];
const { stdout } = spawnSync('npm', ARGS, { encoding: 'utf8', timeout: 300_000, maxBuffer: 1 << 28 });
process.exitCode = judge(stdout);

function judge(text) {
  let report;
  try {
    report = JSON.parse(text);
  } catch {
    report = { message: text.slice(0, 500) };
  }
  const { metadata, vulnerabilities, message = 'npm said nothing' } = report;
  if (metadata === undefined) {
    // Only the asking may fail without a finding: a lock that cannot be read is one.
    const isSkipped = message.includes('/-/npm/v1/security/');
    console.log(`npm audit: ${isSkipped ? 'SKIPPED, nothing was checked' : 'FAILED'}: ${message}`);
    return isSkipped ? 0 : 1;
  }
  const found = Object.values(vulnerabilities).filter(({ severity }) => REFUSED.includes(severity));
  for (const { name, severity, range, via } of found) {
    const titles = via.map(cause => (typeof cause === 'string' ? cause : `${cause.title} ${cause.url}`));
    console.log(`npm audit: ${severity}: ${name} ${range}: ${titles.join(', ')}`);
  }
  const { total } = metadata.vulnerabilities;
  console.log(
    `npm audit: ${found.length} high or critical of ${total} in ${metadata.dependencies.prod} packages`,
  );
  return found.length === 0 ? 0 : 1;
}
