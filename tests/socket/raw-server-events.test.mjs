// Events from one object of a server to the others: `server_side_emit`.

import { after, describe, test } from 'node:test';
import assert from 'node:assert/strict';
import { objectId } from '../harness/runtime/built.mjs';
import { startServer } from '../harness/server.mjs';
import { openMember } from '../harness/socket/client.mjs';
import { workerOnly } from '../harness/target.mjs';

const server = await startServer();
after(() => server.stop());

const { logs } = server;
const id = (member) => objectId(member.client.sid);

/** Members in this many objects, and the objects' ids. */
async function spread(count, namespace = '/') {
  const members = new Map();
  while (members.size < count) {
    const member = await openMember(server, { path: '/spread-plain/', namespace });
    const known = members.get(id(member));
    if (known) await member.client.close();
    else members.set(id(member), member);
  }
  return { members: [...members.values()], ids: [...members.keys()] };
}

describe('an event to the other objects', { ...workerOnly, concurrency: 1 }, () => {
  test('is answered by each of them once, and not by the one it is from', async () => {
    const { members, ids } = await spread(3, '/custom');
    for (const [index, member] of members.entries()) {
      const others = ids.filter((_, other) => other !== index).sort();
      const [answers, missing] = await member.ask('server-ask', 'sum', [2, 3]);
      assert.deepEqual([answers, missing], [others.map((other) => [other, 5]), 0]);
    }
    await Promise.all(members.map((member) => member.client.close()));
  });

  test('may have no answer', async () => {
    const { members, ids } = await spread(3, '/chat');
    assert.deepEqual(await members[0].ask('server-emit', 'tell', 'one'), ['ok']);
    const told = { event: 'server event', name: 'tell', namespace: '/chat', value: 'one' };
    await logs.waitFor(told);
    assert.equal(logs.find(told).length, ids.length - 1);
    await Promise.all(members.map((member) => member.client.close()));
  });

  test('whose handler fails, or takes too long, is answered with that', async () => {
    const { members, ids } = await spread(2, '/guarded');
    const ask = (name) => members[0].ask('server-ask', name, []);
    assert.deepEqual(await ask('fail'), [[[ids[1], { error: 'asked to' }]], 0]);
    await logs.waitFor({ event: 'handler failed', server_event: 'fail', message: 'asked to' });
    assert.deepEqual(await ask('late'), [[[ids[1], 'late']], 0]);
    await Promise.all(members.map((member) => member.client.close()));
  });

  test('reaches the sockets of each with `local`', async () => {
    const { members } = await spread(3, '/observed');
    assert.deepEqual(await members[0].ask('server-emit', 'to all here', 'x'), ['ok']);
    for (const member of members.slice(1)) await member.expect('told here', 'x');
    await members[0].nothing();
    await Promise.all(members.map((member) => member.client.close()));
  });

  test('for which there is no handler is an error', async () => {
    const { members } = await spread(1);
    const [error] = await members[0].ask('server-emit', 'nobody', null);
    assert.equal(error, '`nobody` has no handler: on_server_event');
  });

  test('is for nobody where one object has all sockets', async () => {
    const alone = await openMember(server, { path: '/io/' });
    assert.deepEqual(await alone.ask('server-ask', 'sum', [2, 3]), [[], 0]);
    assert.deepEqual(await alone.ask('server-emit', 'tell', 'nobody'), ['ok']);
    assert.equal(logs.find({ event: 'server event', value: 'nobody' }).length, 0);
  });

  test('whose handler panics is not repeated', async () => {
    const { members, ids } = await spread(2, '/slow');
    // It takes the handler that waits for it along, in the same isolate.
    await members[0].emit('server-emit', 'panic', null);
    const panic = { event: 'handler panicked', handler: 'server event' };
    await logs.waitFor(panic);
    // What is sent later comes behind it.
    const [answers] = await members[0].ask('server-ask', 'sum', [2, 3]);
    assert.deepEqual(answers, [[ids[1], 5]]);
    assert.equal(logs.find(panic).length, 1);
  });
});
