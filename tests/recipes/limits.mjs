// What stock clients see of limits, in Rust and in TypeScript.

import assert from 'node:assert/strict';
import { awake, awakeAndAsleep } from '../harness/recipes.mjs';

/** `define` is one of harness/recipes.mjs. */
export function limits(options, define = awakeAndAsleep) {
  define('an event that comes too often is refused, and the others are not', '/limits/', async ({ open }) => {
    const ada = await open({});
    const bob = await open({ hears: ['said'] });
    for (const text of ['a', 'b', 'c', 'd', 'e']) assert.equal(await ada.ask('say', text), undefined);
    assert.deepEqual(await ada.ask('say', 'f'), { error: 'wait 2 s' });
    assert.equal(await ada.ask('search', 'needle'), 'nothing about needle');
    assert.equal(await bob.ask('say', 'g'), undefined);
    for (const text of ['a', 'b', 'c', 'd', 'e']) assert.equal(await bob.hear('said'), text);
    assert.deepEqual(bob.pending('said'), []);
  }, options);

  awake('a message that is too large ends the session', '/limits/', async ({ open }) => {
    const ada = await open({});
    ada.emit('ping', 'x'.repeat(64 << 10));
    assert.equal(await ada.end(), 'transport close');
  }, options);
}
