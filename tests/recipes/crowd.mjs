// What stock clients see of a server in many objects, in Rust and in TypeScript.

import assert from 'node:assert/strict';
import { awake, awakeAndAsleep } from '../harness/recipes.mjs';
import { objectOf } from '../harness/socket/spread.mjs';

/** `define` is one of harness/recipes.mjs; `tell(server)` has viewers told how many they are, if they are not by themselves. */
export function crowd(options, define = awakeAndAsleep, tell = async () => {}) {
  define('reactions and numbers reach all objects', '/crowd/', async ({ server, open, rest }) => {
    const viewers = [];
    // Each is in an object at random.
    while (new Set(viewers.map(objectOf)).size < 3) viewers.push(await open({ hears: ['reaction', 'viewers'] }));
    for (const viewer of viewers) assert.equal(await viewer.ask('watch', 'tent'), undefined);
    /** All are told that they are so many, whatever they were told before. */
    const counts = async (told, count) => {
      await rest();
      await tell(server);
      for (const viewer of told) {
        let heard;
        do heard = await viewer.hear('viewers');
        while (heard !== count);
      }
    };
    await counts(viewers, viewers.length);

    assert.equal(await viewers[0].ask('react', '🎉'), undefined);
    for (const viewer of viewers.slice(1)) assert.equal(await viewer.hear('reaction'), '🎉');

    const [first, ...others] = viewers;
    await first.ask('watch', 'main stage');
    await counts(others, others.length);
    await others.pop().leave();
    await counts(others, others.length);
    await counts([first], 1);
  }, options);

  awake('what is not allowed is said', '/crowd/', async ({ open }) => {
    const viewer = await open({});
    assert.deepEqual(await viewer.ask('react', '🎉'), { error: 'watch something first' });
    assert.deepEqual(await viewer.ask('watch', 'nothing'), { error: 'there is no such stream' });
  }, options);
}
