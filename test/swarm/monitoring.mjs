/** deploy/monitoring.yml over a stack: Prometheus finds every part under the name that Swarm's DNS has for it. */
import { containersOf, docker } from './docker.mjs';
import { HAS_PUBLISHED_SERVERS, imageName } from './images.mjs';
import { allHealthy, deploy, serviceName } from './stack.mjs';
import { until } from './waiting.mjs';

const OVERLAY = 'deploy/monitoring.yml';
const PASSWORD = 'zenko_grafana_password';
const PARTS = ['data-module', 'hello-world', 'metadata-module', 'populator'];
const DEADLINE_MS = 120_000;
/** Grafana has no package of its own where nothing else can be pulled. */
const MISSING = HAS_PUBLISHED_SERVERS ? [] : ['grafana'];

export async function monitor(transcript, stack) {
  await docker(['secret', 'create', PASSWORD, '-'], { input: 'a password of the tests' });
  try {
    const image = HAS_PUBLISHED_SERVERS ? {} : { PROMETHEUS_IMAGE: imageName('zenko-test-prometheus', '1') };
    await deploy([...stack, OVERLAY], image);
    await allHealthy(MISSING);
    const up = await until('Prometheus to reach every part', DEADLINE_MS, async () => {
      const targets = (await ask('targets?state=active')).activeTargets;
      const parts = targets.filter(({ health }) => health === 'up').map(({ labels }) => labels.part);
      const found = [...new Set(parts)].sort();
      return found.length === PARTS.length && found;
    });
    transcript.check(
      'Prometheus reaches every part',
      PARTS.every(part => up.includes(part)),
      up.join(', '),
    );
    const rules = (await ask('rules')).groups.flatMap(group => group.rules);
    const broken = rules.filter(({ lastError }) => lastError);
    transcript.check(
      'its rules can be evaluated',
      rules.length > 0 && broken.length === 0,
      `${rules.length} rules`,
    );
    const firing = rules.filter(({ state }) => state === 'firing').map(({ name }) => name);
    transcript.check('and no alert fires', firing.length === 0, firing.join(', '));
  } finally {
    const names = [serviceName('prometheus'), serviceName('grafana')];
    await docker(['service', 'rm', ...names]);
    // What follows looks at which containers of the stack come and go.
    await until('both to be gone', DEADLINE_MS, async () => {
      const left = await Promise.all(names.map(name => containersOf(name)));
      return left.flat().length === 0;
    });
    await until('the secret to be free', DEADLINE_MS, async () => {
      await docker(['secret', 'rm', PASSWORD]);
      return true;
    });
  }
}

/** Asks Prometheus, which publishes no port, from within. */
async function ask(path) {
  const [{ id, node }] = await containersOf(serviceName('data-module'));
  const script = `fetch('http://prometheus:9090/api/v1/${path}').then(async res => console.log(await res.text()))`;
  const answer = JSON.parse(await docker(['exec', id, 'node', '-e', script], { node }));
  if (answer.status !== 'success') throw new Error(JSON.stringify(answer));
  return answer.data;
}
