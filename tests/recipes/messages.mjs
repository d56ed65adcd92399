// What stock clients see of private messages, in Rust and in TypeScript.

import assert from 'node:assert/strict';
import { awakeAndAsleep } from '../harness/recipes.mjs';

const device = (name) => ({ auth: { name }, hears: ['unseen', 'message', 'seen'] });

/** `define` is one of harness/recipes.mjs, and `prepare(server)` is called first. */
export function messages(options, define = awakeAndAsleep, prepare = async () => {}) {
  const defined = (name, body) =>
    define(name, '/messages/', async ({ server, open }) => {
      await prepare(server);
      await body(open);
    }, options);

  defined('a message waits until a device has shown it', async (open) => {
    const ada = await open(device('Ada'));
    const first = await ada.ask('send', 'Bob', 'hello');
    assert.deepEqual([first.sender, first.receiver, first.text], ['Ada', 'Bob', 'hello']);

    const phone = await open(device('Bob'));
    assert.deepEqual(await phone.hear('unseen'), [first]);
    const laptop = await open(device('Bob'));
    assert.deepEqual(await laptop.hear('unseen'), [first]);
    await laptop.ask('seen', first.id);
    assert.equal(await phone.hear('seen'), first.id);

    const tablet = await open(device('Bob'));
    assert.deepEqual(await tablet.hear('unseen'), []);
  });

  defined('all devices of both have a message, and nobody else', async (open) => {
    const devices = [];
    for (const name of ['Ada', 'Ada', 'Bob', 'Bob', 'Cem']) devices.push(await open(device(name)));
    const sent = await devices[0].ask('send', 'Bob', 'for your eyes only');
    for (const other of devices.slice(1, 4)) assert.deepEqual(await other.hear('message'), sent);
    await devices[4].ask('send', 'Cem', 'to myself');
    for (const other of [devices[0], devices[4]]) assert.deepEqual(other.pending('message'), []);
  });

  defined('an id is not used again', async (open) => {
    const ada = await open(device('Ada'));
    const first = await ada.ask('send', 'Ada', 'a note');
    await ada.ask('seen', first.id);
    const second = await ada.ask('send', 'Ada', 'another one');
    assert.ok(second.id > first.id);
  });
}
