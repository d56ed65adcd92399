// Calls of objects from elsewhere: what comes of those that our own code never makes (who
// has a binding to the objects is trusted, but a mistake of theirs must not take the object
// from its clients), and what becomes of a caller whose object fails.

import { after, test } from 'node:test';
import assert from 'node:assert/strict';
import { bystanders } from '../harness/engine/bystanders.mjs';
import { startWorkerd } from '../harness/runtime/workerd.mjs';
import { openMember } from '../harness/socket/client.mjs';
import { workerOnly } from '../harness/target.mjs';
import { within } from '#dormouse-test/wait.mjs';

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

test('who waits for acknowledgements is told when a panic has ended the instance', workerOnly, async () => {
  const member = () => openMember(server, { namespace: '/chat' });
  const [asked, other] = [await member(), await member()];
  const query = new URLSearchParams({ path: '/io/', namespace: '/chat', event: 'q', timeout: 600_000 });
  const answer = fetch(`${server.url}/io-route/emit-with-ack?${query}`, { method: 'POST', body: '[]' });
  answer.catch(() => {});
  await asked.asked('q');
  await other.emit('panic');
  const { status } = await within(answer, 'answer to whoever asked');
  assert.equal(status, 500);
  // The sockets are there still.
  assert.deepEqual(await asked.ask('message-with-ack', 'x'), ['x']);
});
