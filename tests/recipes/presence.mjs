// What stock clients see of presence, in Rust and in TypeScript.

import assert from 'node:assert/strict';
import { nothingComes } from '../harness/delays.mjs';
import { awakeAndAsleep } from '../harness/recipes.mjs';

export const device = (name, more) => ({ auth: { name }, hears: ['here', 'gone', 'everybody'], ...more });

/** `define` is one of harness/recipes.mjs. */
export function presence(options, define = awakeAndAsleep) {
  define('a user is there from the first device to the last', '/presence/', async ({ open }) => {
    const ada = await open(device('Ada'));
    assert.deepEqual(await ada.hear('everybody'), ['Ada']);
    const phone = await open(device('Bob'));
    assert.equal(await ada.hear('here'), 'Bob');
    const laptop = await open(device('Bob'));
    assert.deepEqual(await laptop.hear('everybody'), ['Ada', 'Bob']);
    await laptop.leave();
    await nothingComes();
    assert.deepEqual(ada.pending('gone'), []);
    await phone.leave();
    assert.equal(await ada.hear('gone'), 'Bob');
    assert.deepEqual(ada.pending('here'), []);
  }, options);

  define('a user logs out on all devices', '/presence/', async ({ open, rest }) => {
    const ada = await open(device('Ada'));
    const devices = [await open(device('Bob')), await open(device('Bob'))];
    await rest();
    devices[0].emit('log out');
    for (const it of devices) assert.equal(await it.end(), 'io server disconnect');
    assert.equal(await ada.hear('gone'), 'Bob');
  }, options);
}
