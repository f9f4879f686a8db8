/** Extensions that move objects must not take them in circles together: each checks only its own section. */

/** Where an extension takes objects from, and where it may bring them. */
export interface Route {
  readonly from: readonly string[];
  readonly reaches: (bucket: string) => boolean;
}

/** An extension that moves objects. */
export interface Mover {
  readonly name: string;
  /** The route that a section asks for; `undefined` for a section that is wrong. */
  readonly route: (section: unknown) => Route | undefined;
}

/**
 * @param routes by the name of the extension.
 * @throws Error when an object could come back to where it was taken from.
 */
export function refuseCircles(routes: ReadonlyMap<string, Route>): void {
  for (const name of routes.keys()) follow([], name, routes);
}

/** Goes on from `name`; `path` is how it came there. */
function follow(path: readonly Step[], name: string, routes: ReadonlyMap<string, Route>): void {
  const route = routes.get(name);
  if (!route) return;
  const [start] = path;
  for (const [next, { from }] of routes) {
    const bucket = from.find(one => route.reaches(one));
    if (bucket === undefined || next === name) continue;
    const further = [...path, { name, bucket }];
    if (next === start?.name) throw new Error(describe(further));
    if (!further.some(step => step.name === next)) follow(further, next, routes);
  }
}

interface Step {
  readonly name: string;
  /** Where it brings objects, and the next one takes them. */
  readonly bucket: string;
}

function describe(circle: readonly Step[]): string {
  const moves = circle.map(({ name, bucket }, index) => {
    const what = index === 0 ? `${name} moves objects` : name;
    return `${what} from ${circle.at(index - 1)?.bucket ?? ''} to ${bucket}`;
  });
  return `buckets: ${moves.join(', and ')}: they would go in circles`;
}
