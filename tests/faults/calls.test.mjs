// What another Worker with a binding to the objects can call, and what comes of it: it is
// trusted, but a mistake of its own must not take the object from its clients.

import { after, test } from 'node:test';
import assert from 'node:assert/strict';
import { bystanders } from '../harness/engine/bystanders.mjs';
import { startWorkerd } from '../harness/runtime/workerd.mjs';
import { workerOnly } from '../harness/target.mjs';

const server = workerOnly.skip ? undefined : await startWorkerd({ storage: true });
after(() => server?.stop());

const path = '/sleepy/';

for (const [name, method, args, error] of [
  ["what frees the bindings' memory", 'free', [], /free/],
  ['what takes it away', '__destroy_into_raw', [], /__destroy_into_raw/],
  ['a method that is not there', 'dormouseDance', [], /dormouseDance/],
  ['a call without arguments', 'dormouseCall', []],
  ['a call with others', 'dormouseCall', [7, { length: 1e9 }]],
  ['a call that cannot be read', 'dormouseCall', [path, [255, 255]]],
  ['a call for a server that is not there', 'dormouseCall', ['/nowhere/', []]],
  ['a wake without arguments', 'dormouseWake', []],
  ['a message without a WebSocket', 'webSocketMessage', [null, 'x']],
]) {
  test(name, workerOnly, async () => {
    const others = await bystanders(server, { path });
    const outcome = server.call(others.sids[0], method, ...args);
    if (error) await assert.rejects(outcome, error);
    else await outcome.catch(() => {});
    await others.check();
    await others.leave();
  });
}
