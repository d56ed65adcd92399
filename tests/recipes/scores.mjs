// What stock clients see of a table of scores, in Rust and in TypeScript.

import assert from 'node:assert/strict';
import { awakeAndAsleep } from '../harness/recipes.mjs';

/** `define` is one of harness/recipes.mjs, and `prepare(server)` is called first. */
export function scores(options, define = awakeAndAsleep, prepare = async () => {}) {
  define('everybody sees the best change', '/scores/', async ({ server, open }) => {
    await prepare(server);
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
    assert.match((await bob.ask('score', '', 1)).error, /^a name has 1 to 40 /);
  }, options);
}
