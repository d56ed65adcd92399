// Clients that stop reading under a broadcast: their sessions end by the bound on what
// is sent and not shown to be read (`max_unproven`, 16 MiB). Those that read hear it all.

import { test } from 'node:test';
import assert from 'node:assert/strict';
import { startWorkerd } from '../harness/runtime/workerd.mjs';
import { freshNamespace, openMember } from '../harness/socket/client.mjs';
import { workerOnly } from '../harness/target.mjs';

const MEBI = 2 ** 20;
const SIZE = 900_000;
const ROUNDS = Math.ceil((60 * MEBI) / SIZE);
const STALLED = 8;
// Eight times the 60 MiB would be 480. What garbage there is comes on top of the bound.
const MOST_MEMORY = 240 * MEBI;

test('60 MiB to a room in which eight do not read', workerOnly, (t) => stall(t, { revision: 4 }));

// Whatever they say proves nothing. A ping is answered by the runtime if there are more of
// this revision here, as there are, and the server is told when.
for (const [name, frame] of Object.entries({ pings: '2', events: '42["hello"]' })) {
  test(`the same, and those eight are of revision 3 and send ${name}`, workerOnly, (t) =>
    stall(t, { revision: 3, frame }),
  );
}

async function stall(t, { revision, frame }) {
  const server = await startWorkerd();
  t.after(() => server.stop());
  const namespace = freshNamespace();
  const enter = (options) => openMember(server, { namespace, ...options });
  const speaker = await enter();
  const healthy = [await enter(), await enter(), await enter(), await enter({ transport: 'polling' })];
  const stalled = await Promise.all(Array.from({ length: STALLED }, () => enter({ revision })));
  for (const member of [...healthy, ...stalled]) await member.ask('join', 'room');
  for (const { client } of stalled) client.peer.socket.pause();

  const before = server.memory();
  let most = 0;
  const bytes = Buffer.alloc(SIZE, 7);
  for (let round = 0; round < ROUNDS; round += 1) {
    const heard = healthy.map((member) => member.receives('news', round, bytes));
    await speaker.emit('cast', { to: ['room'] }, 'news', round, bytes);
    await Promise.all(heard);
    if (frame) for (const { client } of stalled) client.peer.send(frame);
    most = Math.max(most, server.memory());
  }

  for (const { client, id } of stalled) {
    assert.equal(await server.logs.reason(client.sid), 'transport error');
    await server.logs.waitFor({ event: 'disconnected', socket: id });
  }
  assert.equal(server.logs.find({ event: 'disconnect' }).length, STALLED, 'nobody else is gone');
  assert.ok(most - before < MOST_MEMORY, `memory grew by ${Math.round((most - before) / MEBI)} MiB`);
  for (const member of [speaker, ...healthy]) await member.nothing();
  for (const { client } of stalled) client.peer.destroy();
  const rest = await speaker.ask('fetch', { from: 'server', in: ['room'] });
  assert.deepEqual(rest[0].map(([id]) => id).sort(), healthy.map(({ id }) => id).sort());
}
