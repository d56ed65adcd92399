// What has woken an object, or made it: a line in the log for each time.

import { after, test } from 'node:test';
import assert from 'node:assert/strict';
import { objectId } from '../harness/runtime/built.mjs';
import { startServer } from '../harness/server.mjs';
import { openMember } from '../harness/socket/client.mjs';
import { emitFromElsewhere } from '../harness/socket/routes.mjs';
import { sleeping } from '../harness/target.mjs';

const server = await startServer();
after(() => server.stop());

const { logs } = server;
const path = '/io/';

/** Tells why the object of a session woke since it was last asked. A panic wakes others, too. */
const known = new Map();
function woken(sid) {
  const object = objectId(sid);
  const all = logs.find({ event: 'wake', object }).map(({ reason, level }) => `${level} ${reason}`);
  const since = all.slice(known.get(object));
  known.set(object, all.length);
  return since;
}

test('the reason of each time', sleeping, async () => {
  const player = await openMember(server, { path });
  const { sid } = player.client;
  assert.deepEqual(woken(sid), ['info handshake']);

  await server.sleep(sid);
  assert.deepEqual(await player.ask('who'), [player.id, '/']);
  await player.ask('who');
  assert.deepEqual(woken(sid), ['info message']);

  await server.sleep(sid);
  await emitFromElsewhere(server, { path, namespace: '/' }, 'news', 1);
  await player.expect('news', 1);
  assert.deepEqual(woken(sid), ['info call']);

  await player.ask('set-alarm', 'say-up', 300);
  await server.sleep(sid);
  await player.expect('alarm', 'up', 'say-up');
  assert.deepEqual(woken(sid), ['info alarm']);

  await server.sleep(sid);
  await player.client.close();
  await logs.waitFor({ event: 'disconnect', sid });
  assert.deepEqual(woken(sid), ['info close']);
});

test('a client that polls', sleeping, async () => {
  const player = await openMember(server, { path: '/keyed/', query: { key: 'polls' }, transport: 'polling' });
  woken(player.client.sid);
  // A session that polls is saved soon.
  await server.settled();
  await server.sleep(player.client.sid);
  assert.deepEqual(await player.ask('who'), [player.id, '/']);
  assert.deepEqual(woken(player.client.sid), ['info post']);
});

test('a panic', sleeping, async () => {
  const player = await openMember(server, { path });
  woken(player.client.sid);
  await player.emit('panic');
  const object = objectId(player.client.sid);
  await logs.waitFor({ event: 'wake', reason: 'panic', object });
  assert.deepEqual(woken(player.client.sid), ['info panic']);
  assert.deepEqual(await player.ask('who'), [player.id, '/']);
});
