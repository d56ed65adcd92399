// examples/recipes/src/scores.rs: a table of scores in D1.

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { awakeAndAsleep, bindings } from '../harness/recipes.mjs';
import { root } from '../harness/root.mjs';

const schema = readFileSync(path.join(root, 'examples/recipes/migrations/0001_scores.sql'), 'utf8');

awakeAndAsleep('everybody sees the best change', '/scores/', async ({ server, open }) => {
  const database = await server.runtime.getD1Database('SCORES');
  await database.exec(schema.replaceAll('\n', ' '));
  const ada = await open({ hears: ['best'] });
  assert.deepEqual(await ada.hear('best'), []);
  assert.equal(await ada.ask('score', 'ada', 7), undefined);
  assert.deepEqual(await ada.hear('best'), [{ player: 'ada', points: 7 }]);
  // Less than before changes nothing.
  await ada.ask('score', 'ada', 5);
  const best = [{ player: 'bob', points: 9 }, { player: 'ada', points: 7 }];
  const bob = await open({ hears: ['best'] });
  await bob.ask('score', 'bob', 9);
  assert.deepEqual(await ada.hear('best'), best);
  assert.deepEqual(await bob.hear('best'), [best[1]]);
  assert.deepEqual(await bob.hear('best'), best);
  assert.deepEqual(await bob.ask('score', '', 1), { error: 'a name has 1 to 40 bytes' });
}, { worker: bindings });
