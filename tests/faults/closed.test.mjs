// Clients that ignore our close frame. The runtime lets go of a WebSocket only when its
// client has closed it too, or has gone, and until then hands us whatever it brings: that
// must cost nothing but the call. Counted by a meter on the real runtime.

import { after, test } from 'node:test';
import assert from 'node:assert/strict';
import { startMetered } from '../harness/meter/metered.mjs';
import { openSession } from '../harness/engine/session.mjs';
import { openClient } from '../harness/socket/client.mjs';
import { workerOnly } from '../harness/target.mjs';

const server = workerOnly.skip ? undefined : await startMetered();
after(() => server?.stop());

const FRAMES = 1_000;

let objects = 0;
const freshObject = () => `closed-${(objects += 1)}`;

/** Has the server close a WebSocket, whose client takes no notice of that. */
async function ignoreClose(peer) {
  const { _receiver: receiver } = peer.socket;
  receiver.removeAllListeners('conclude');
  const closed = new Promise((resolve) => receiver.on('conclude', resolve));
  peer.send('9');
  await closed;
}

/** Sends a frame, and waits until it is on its way. */
const write = (peer, frame) => new Promise((resolve) => peer.socket.send(frame, resolve));

/** What an object has done, but for being called and for how long it took. */
async function done(object) {
  const { counts } = await server.state(object);
  const { messages, running, held, ...rest } = counts;
  return { messages, rest };
}

/** Waits until the object was called for this many messages. */
async function called(object, messages) {
  while ((await done(object)).messages < messages);
}

for (const [kind, path, open] of [
  ['Engine.IO', '/sleepy/', openSession],
  ['Socket.IO', '/io/', async (...args) => (await openClient(...args)).peer],
  ['Socket.IO with recovery', '/recovery/', async (...args) => (await openClient(...args)).peer],
]) {
  for (const asleep of [false, true]) {
    test(`${kind}${asleep ? ', asleep' : ''}: frames on a closed WebSocket cost their calls`, workerOnly, async () => {
      const object = freshObject();
      const peer = await open(server, { path, query: { object } });
      await ignoreClose(peer);
      const { id, now } = await server.state(object);
      // What is due after the end of the session is over.
      await server.jump(now + 1_000);
      await server.fire(object);
      if (asleep) await server.sleep(id);

      const before = await done(object);
      for (let sent = 0; sent < FRAMES; sent += 1) await write(peer, '4'.repeat(1_000));
      await called(object, before.messages + FRAMES);
      const after = await done(object);
      assert.deepEqual(after.rest, { ...before.rest, wakes: before.rest.wakes + Number(asleep) });
      peer.destroy();
    });
  }
}

// It is the runtime that says after sleep which WebSockets are closed.
test('closed WebSockets have no say in whose heartbeats the runtime answers', workerOnly, async () => {
  const object = freshObject();
  const query = { object };
  const old = [];
  for (let count = 0; count < 3; count += 1) {
    old.push(await openClient(server, { path: '/io/', revision: 3, query }));
  }
  const { id, paired } = await server.state(object);
  assert.equal(paired, '2');
  for (const { peer } of old) await ignoreClose(peer);
  await server.sleep(id);
  const young = await openClient(server, { path: '/io/', query });
  assert.equal((await server.state(object)).paired, '3');
  for (const { peer } of [...old, young]) peer.destroy();
});
