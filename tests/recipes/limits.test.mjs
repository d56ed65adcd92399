// examples/recipes/src/limits.rs: how much a client may send.

import assert from 'node:assert/strict';
import { awake } from '../harness/recipes.mjs';
import { limits } from './limits.mjs';

limits();

awake('packets beyond the limit are late, and in order', '/limits/', async ({ server, open }) => {
  const ada = await open({});
  // 200 are allowed at once, and 50 a second: a busy machine has 4 s to handle these.
  for (let number = 0; number < 400; number += 1) ada.emit('ping');
  assert.equal(await ada.ask('ping'), 'pong');
  await server.logs.waitFor({ event: 'rate limited' });
});
