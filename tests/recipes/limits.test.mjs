// examples/recipes/src/limits.rs: how much a client may send.

import assert from 'node:assert/strict';
import { awake, awakeAndAsleep } from '../harness/recipes.mjs';

awakeAndAsleep('an event that comes too often is refused, and the others are not', '/limits/', async ({ open }) => {
  const ada = await open({});
  const bob = await open({ hears: ['said'] });
  for (const text of ['a', 'b', 'c', 'd', 'e']) assert.equal(await ada.ask('say', text), undefined);
  assert.deepEqual(await ada.ask('say', 'f'), { error: 'wait 2 s' });
  assert.equal(await ada.ask('search', 'needle'), 'nothing about needle');
  assert.equal(await bob.ask('say', 'g'), undefined);
  for (const text of ['a', 'b', 'c', 'd', 'e']) assert.equal(await bob.hear('said'), text);
  assert.deepEqual(bob.pending('said'), []);
});

awake('packets beyond the limit are late, and in order', '/limits/', async ({ server, open }) => {
  const ada = await open({});
  for (let number = 0; number < 220; number += 1) ada.emit('ping');
  assert.equal(await ada.ask('ping'), 'pong');
  await server.logs.waitFor({ event: 'rate limited' });
});

awake('a message that is too large ends the session', '/limits/', async ({ open }) => {
  const ada = await open({});
  ada.emit('ping', 'x'.repeat(64 << 10));
  assert.equal(await ada.end(), 'transport close');
});
