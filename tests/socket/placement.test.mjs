// Which of many objects a client is put into: one with room, that of its key, one on its
// continent. A sid begins with the id of its object.

import { after, describe, test } from 'node:test';
import assert from 'node:assert/strict';
import { assertError } from '../harness/engine/expect.mjs';
import { objectId } from '../harness/runtime/built.mjs';
import { CF } from '#dormouse-test/workerd.mjs';
import { startWorkerd } from '../harness/runtime/workerd.mjs';
import { freshNamespace, openMember } from '../harness/socket/client.mjs';
import { target, workerOnly } from '../harness/target.mjs';
import { fetchRaw } from '../harness/wire/http.mjs';
import { refusedWebSocket } from '../harness/wire/websocket.mjs';

const server = target === 'worker' && (await startWorkerd({ storage: true }));
after(() => server && server.stop());

const UNKNOWN_SID = 1;
const transports = ['websocket', 'polling'];
const polling = { EIO: 4, transport: 'polling' };

/** How many of them are in each object, the fullest first. */
function occupation(members) {
  const counts = new Map();
  for (const { client } of members) {
    const id = objectId(client.sid);
    counts.set(id, (counts.get(id) ?? 0) + 1);
  }
  return [...counts.values()].sort((one, other) => other - one);
}

/** They leave, and make room. */
async function close(members) {
  await Promise.all(
    members.map(async ({ client }) => {
      await client.close();
      await server.logs.waitFor({ event: 'disconnect', sid: client.sid });
    }),
  );
}

describe('objects with room for two', workerOnly, () => {
  const path = '/placed/';

  test('take six clients, and let them all hear each other', async () => {
    const namespace = freshNamespace();
    const enter = (transport) => openMember(server, { path, namespace, transport });
    const members = [];
    for (let count = 0; count < 6; count += 1) members.push(await enter(transports[count % 2]));
    assert.deepEqual(occupation(members), [2, 2, 2]);

    // There is no room anywhere.
    const full = await fetchRaw(server, { path, query: polling });
    assert.deepEqual([full.status, JSON.parse(full.text)], [503, { message: 'Server is full' }]);
    assert.ok(Number(full.headers['retry-after']) > 0);
    const refused = await refusedWebSocket(server, { path, query: { EIO: 4, transport: 'websocket' } });
    assert.equal(refused.status, 503);

    const [first, ...others] = members;
    await first.ask('cast', {}, 'news');
    for (const member of others) await member.expect('news');

    // Who goes makes room, wherever that is.
    const leaving = members.splice(3, 1);
    await close(leaving);
    members.push(await enter('websocket'));
    assert.deepEqual(occupation([...leaving, members.at(-1)]), [2]);
    await close(members);
  });

  test('are still full when they have slept', async () => {
    const members = [];
    for (let count = 0; count < 6; count += 1) members.push(await openMember(server, { path, namespace: '/chat' }));
    await server.settled();
    for (const { client } of members) await server.sleep(client.sid);
    assert.equal((await fetchRaw(server, { path, query: polling })).status, 503);
    await close(members);
  });
});

describe('clients with the same key', workerOnly, () => {
  const path = '/near/';

  test('are together, until their object is full, and then in the next one', async () => {
    const enter = (room) => openMember(server, { path, namespace: '/chat', query: { room } });
    const rooms = ['a', 'b', 'c', 'd', 'e'];
    const members = new Map();
    for (const room of rooms) {
      members.set(room, []);
      for (let count = 0; count < 7; count += 1) {
        // Another key may have filled one of their objects already.
        members.get(room).push(await enter(room));
      }
    }
    assert.deepEqual(occupation(members.get('a')), [3, 3, 1]);
    const all = [...members.values()].flat();
    assert.ok(occupation(all).every((count) => count <= 3));
    const first = new Set(rooms.map((room) => objectId(members.get(room)[0].client.sid)));
    assert.ok(first.size > 1);
    await close(all);
  });
});

describe('clients of a continent', workerOnly, () => {
  const path = '/continents/';
  const regions = { EU: 'weur ', NA: 'enam ', SA: 'sam ', AF: 'afr ', AS: 'apac ', OC: 'oc ', AN: '', T1: '' };

  test('are in objects there, and hear those of others', async () => {
    const namespace = freshNamespace();
    const members = [];
    for (const [continent, region] of Object.entries(regions)) {
      const headers = { [CF]: JSON.stringify({ continent }) };
      const member = await openMember(server, { path, namespace, headers });
      members.push(member);
      // One that is awake can be put to sleep, and only then.
      const names = [0, 1].map((number) => `${path} s ${region}${number}`);
      await server.settled();
      const awake = await Promise.all(names.map((name) => server.sleepNamed(name)));
      assert.ok(awake.includes(true), `${continent}: ${names}`);
    }
    await members[0].ask('cast', {}, 'news');
    for (const member of members.slice(1)) await member.expect('news');
    await close(members);
  });

  test('without one are in others', async () => {
    const member = await openMember(server, { path, namespace: '/chat' });
    await server.settled();
    const awake = await Promise.all([0, 1].map((number) => server.sleepNamed(`${path} s ${number}`)));
    assert.ok(awake.includes(true));
    await close([member]);
  });
});

test('the number of objects can be changed: sids say where sessions are', workerOnly, async () => {
  const path = '/placed/';
  const placed = async (objects) => {
    await server.settled();
    await server.kill();
    await server.restart({ DORMOUSE_TEST_OBJECTS: objects });
  };
  await placed(8);
  const members = [];
  for (let count = 0; count < 6; count += 1) {
    members.push(await openMember(server, { path, namespace: '/chat', transport: 'polling' }));
  }
  await placed(1);
  // New ones have one object, and those from before have theirs still.
  for (const [index, member] of members.entries()) {
    assert.deepEqual(await member.ask('message-with-ack', index), [index]);
  }
  const forged = 'A'.repeat(59);
  assertError(await fetchRaw(server, { path, query: { ...polling, sid: forged } }), UNKNOWN_SID);
  await close(members);
  const fresh = [];
  for (let count = 0; count < 2; count += 1) fresh.push(await openMember(server, { path, namespace: '/chat' }));
  assert.deepEqual(occupation(fresh), [2]);
  await close(fresh);
});
