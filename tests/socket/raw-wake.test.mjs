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

/** Tells why an object woke since it was last asked. */
let known = 0;
function woken() {
  const all = logs.find({ event: 'wake' }).map(({ reason, level }) => `${level} ${reason}`);
  const since = all.slice(known);
  known = all.length;
  return since;
}

test('the reason of each time', sleeping, async () => {
  const player = await openMember(server, { path });
  const { sid } = player.client;
  assert.deepEqual(woken(), ['info handshake']);

  await server.sleep(sid);
  assert.deepEqual(await player.ask('who'), [player.id, '/']);
  await player.ask('who');
  assert.deepEqual(woken(), ['info message']);

  await server.sleep(sid);
  await emitFromElsewhere(server, { path, namespace: '/' }, 'news', 1);
  await player.expect('news', 1);
  assert.deepEqual(woken(), ['info call']);

  await player.ask('set-alarm', 'say-up', 300);
  await server.sleep(sid);
  await player.expect('alarm', 'up', 'say-up');
  assert.deepEqual(woken(), ['info alarm']);

  await server.sleep(sid);
  await player.client.close();
  await logs.waitFor({ event: 'disconnect', sid });
  assert.deepEqual(woken(), ['info close']);
  assert.deepEqual(new Set(logs.find({ event: 'wake' }).map(({ object }) => object)), new Set([objectId(sid)]));
});

test('a client that polls', sleeping, async () => {
  const player = await openMember(server, { path: '/keyed/', query: { key: 'polls' }, transport: 'polling' });
  woken();
  // A session that polls is saved soon.
  await server.settled();
  await server.sleep(player.client.sid);
  assert.deepEqual(await player.ask('who'), [player.id, '/']);
  assert.deepEqual(woken(), ['info post']);
});

test('a panic', sleeping, async () => {
  const player = await openMember(server, { path });
  woken();
  await player.emit('panic');
  await logs.waitFor({ event: 'wake', reason: 'panic' });
  // Objects beside it, too, if they had something under way.
  assert.deepEqual([...new Set(woken())], ['info panic']);
  assert.deepEqual(await player.ask('who'), [player.id, '/']);
});
