// examples/recipes/src/presence.rs: who is here, over several devices.

import assert from 'node:assert/strict';
import { asleep } from '../harness/recipes.mjs';
import { within } from '#dormouse-test/wait.mjs';
import { device, presence } from './presence.mjs';

/** More than the server waits for who has lost the connection. */
const GRACE = 20_000;

presence();

// It takes its time.
asleep('who loses the connection is missed if they stay away', '/presence/', async ({ open, rest }) => {
  const ada = await open(device('Ada'));
  const returning = await open(device('Bob', { reconnection: true, reconnectionDelay: 100 }));
  const staying = await open(device('Cem'));
  const back = new Promise((resolve) => returning.socket.once('connect', resolve));
  await returning.lose();
  await staying.lose();
  await within(back, 'connection');
  assert.equal(returning.socket.recovered, true);
  await rest();
  assert.equal(await within(new Promise((resolve) => ada.socket.once('gone', resolve)), 'event gone', GRACE), 'Cem');
  assert.deepEqual(ada.pending('gone').map(([name]) => name), ['Cem']);
});
