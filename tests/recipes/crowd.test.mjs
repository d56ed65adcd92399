// examples/recipes/src/crowd.rs: a server in many objects.

import assert from 'node:assert/strict';
import { awake, awakeAndAsleep } from '../harness/recipes.mjs';
import { objectOf } from '../harness/socket/spread.mjs';

awakeAndAsleep('reactions and numbers reach all objects', '/crowd/', async ({ open }) => {
  const viewers = [];
  // Each is in an object at random.
  while (new Set(viewers.map(objectOf)).size < 3) viewers.push(await open({ hears: ['reaction', 'viewers'] }));
  for (const viewer of viewers) assert.equal(await viewer.ask('watch', 'tent'), undefined);
  await counts(viewers, viewers.length);

  assert.equal(await viewers[0].ask('react', '🎉'), undefined);
  for (const viewer of viewers.slice(1)) assert.equal(await viewer.hear('reaction'), '🎉');

  const [first, ...others] = viewers;
  await first.ask('watch', 'main stage');
  await counts(others, others.length);
  await others.pop().leave();
  await counts(others, others.length);
  await counts([first], 1);
});

/** All are told that they are so many, whatever they were told before. */
async function counts(viewers, count) {
  for (const viewer of viewers) {
    let told;
    do told = await viewer.hear('viewers');
    while (told !== count);
  }
}

awake('what is not allowed is said', '/crowd/', async ({ open }) => {
  const viewer = await open({});
  assert.deepEqual(await viewer.ask('react', '🎉'), { error: 'watch something first' });
  assert.deepEqual(await viewer.ask('watch', 'nothing'), { error: 'there is no such stream' });
});
