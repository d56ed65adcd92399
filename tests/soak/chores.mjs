// What happens to a server in its life besides clients, one after the other: a handler
// panics, objects sleep, are cut off and break off, other parts of the Worker call.

import assert from 'node:assert/strict';
import { openSession } from '../harness/engine/session.mjs';
import { openMember } from '../harness/socket/client.mjs';
import { emitFromElsewhere, fetchFromElsewhere } from '../harness/socket/routes.mjs';

const namespace = '/chat';

/** Each with how often it comes, in seconds on average. */
export const chores = [
  { every: 10, run: panic },
  { every: 5, run: emit },
  { every: 15, run: sleep },
  { every: 20, run: cut },
  { every: 60, run: breakOff },
];

async function panic(world) {
  const member = await openMember(world.server, { path: '/io/', namespace });
  world.count('panics');
  await member.emit('panic');
  assert.deepEqual(await member.ask('message-with-ack', 1), [1]);
  world.count('panics that are over');
  await member.client.close();
}

async function emit({ server, count }) {
  await emitFromElsewhere(server, { path: '/io/', namespace, to: 'red' }, 'news', 'x');
  count('routes');
}

/** On a path where nobody polls: a poll keeps its object awake. */
async function sleep({ server, count }) {
  const peer = await openSession(server, { path: '/websocket/' });
  for (let round = 0; round < 3; round += 1) {
    await server.sleep(peer.sid);
    peer.send(`4${round}`);
    let frame;
    do frame = await peer.next(); while (frame === '2');
    assert.equal(frame, `4${round}`);
  }
  peer.close();
  count('sleeps');
}

async function cut({ server, count, forget }) {
  const peer = await openSession(server, { path: '/websocket/' });
  await server.cut(peer.sid);
  forget(peer.sid);
  assert.equal((await peer.end()).code, 1006);
  count('cuts');
}

/** The object of those that recover. */
async function breakOff({ server, count, forget }) {
  const member = await openMember(server, { path: '/recovery/', namespace });
  await server.abort(member.client.sid);
  forget(member.client.sid);
  await member.client.ended();
  count('aborts');
}

/** The sockets that the server knows of on a path, in every namespace that visitors join. */
export async function socketsOn(server, path, spaces = ['/', namespace]) {
  const ask = async (name) => (await fetchFromElsewhere(server, { path, namespace: name })).length;
  const counts = await Promise.all(spaces.map(ask));
  return counts.reduce((sum, count) => sum + count, 0);
}
