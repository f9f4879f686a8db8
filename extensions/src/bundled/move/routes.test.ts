import assert from 'node:assert/strict';
import test from 'node:test';
import { refuseCircles, type Route } from './routes.js';

const routes = (...pairs: [string, string, string][]): Map<string, Route> =>
  new Map(pairs.map(([name, from, to]) => [name, { from: [from], reaches: bucket => bucket === to }]));

test('a circle of any length is refused, and named', () => {
  assert.throws(
    () =>
      refuseCircles(
        routes(['x', 'in', 'side'], ['a', 'one', 'two'], ['b', 'two', 'three'], ['c', 'three', 'one']),
      ),
    /buckets: a moves objects from one to two, and b from two to three, and c from three to one/,
  );
});

test('moves that lead on, or to one place, are none', () => {
  refuseCircles(
    routes(['a', 'one', 'two'], ['b', 'two', 'three'], ['c', 'four', 'three'], ['d', 'one', 'three']),
  );
});
