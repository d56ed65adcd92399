// examples/recipes/src/presence.rs: who is here, over several devices.

import assert from 'node:assert/strict';
import { nothingComes } from '../harness/delays.mjs';
import { asleep, awakeAndAsleep } from '../harness/recipes.mjs';
import { within } from '#dormouse-test/wait.mjs';

/** More than the server waits for who has lost the connection. */
const GRACE = 20_000;

const device = (name, more) => ({ auth: { name }, hears: ['here', 'gone', 'everybody'], ...more });

awakeAndAsleep('a user is there from the first device to the last', '/presence/', async ({ open }) => {
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
});

awakeAndAsleep('a user logs out on all devices', '/presence/', async ({ open }) => {
  const ada = await open(device('Ada'));
  const devices = [await open(device('Bob')), await open(device('Bob'))];
  devices[0].emit('log out');
  for (const it of devices) assert.equal(await it.end(), 'io server disconnect');
  assert.equal(await ada.hear('gone'), 'Bob');
});

// It takes its time.
asleep('who loses the connection is missed if they stay away', '/presence/', async ({ open, rest }) => {
  const ada = await open(device('Ada'));
  const returning = await open(device('Bob', { reconnection: true, reconnectionDelay: 100 }));
  const staying = await open(device('Cem'));
  // An event gives a client the offset that it comes back with.
  assert.equal(await returning.hear('here'), 'Cem');
  const back = new Promise((resolve) => returning.socket.once('connect', resolve));
  await returning.lose();
  await staying.lose();
  await within(back, 'connection');
  assert.equal(returning.socket.recovered, true);
  await rest();
  assert.equal(await within(new Promise((resolve) => ada.socket.once('gone', resolve)), 'event gone', GRACE), 'Cem');
  assert.deepEqual(ada.pending('gone').map(([name]) => name), ['Cem']);
});
