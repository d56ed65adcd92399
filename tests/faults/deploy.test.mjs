// A deploy after which the application defines its namespaces in another order, or some
// not any more. Sessions that poll outlive it in rows, sockets wait in rows for clients
// that come back: each of them gets the handlers of its own namespace, and what has none
// any more starts over.

import { after, before, describe, test } from 'node:test';
import assert from 'node:assert/strict';
import { assertError } from '../harness/engine/expect.mjs';
import { startWorkerd } from '../harness/runtime/workerd.mjs';
import { openClient, openMember } from '../harness/socket/client.mjs';
import { comeBack, heard } from '../harness/socket/recovery.mjs';
import { target, workerOnly } from '../harness/target.mjs';

const path = '/deploy/';

/** Namespaces by the letter of their definition, as tests/worker/src/deploy.rs has it. */
const namespaces = { a: '/a', b: '/b', c: '/c-1', x: '/x/1', y: '/y/1' };
const letters = Object.keys(namespaces);
const UNKNOWN_SID = 1;

const server = target === 'worker' && (await startWorkerd({ storage: true }));
after(() => server && server.stop());

async function deploy(order) {
  await server.settled();
  await server.kill();
  await server.restart({ DORMOUSE_TEST_ORDER: order });
}

/** A session that polls, in these namespaces. */
async function polling(these) {
  const client = await openClient(server, { path, transport: 'polling' });
  const members = [];
  for (const letter of these) members.push([letter, await client.join(namespaces[letter], { letter })]);
  return { client, members };
}

async function assertOwnHandlers({ members }) {
  for (const [letter, member] of members) {
    assert.deepEqual(await member.ask('which'), [letter, namespaces[letter]]);
    assert.deepEqual(await member.ask('auth'), [{ letter }]);
  }
}

/** A client that is cut off, and what it comes back with. */
async function cutOff(letter) {
  const member = await openMember(server, { path, namespace: namespaces[letter] });
  await member.emit('emit');
  const { offset } = await heard(member);
  return { letter, id: member.id, auth: { pid: member.pid, offset } };
}

const reopen = () => openClient(server, { path });

describe('another order', workerOnly, () => {
  const sessions = [];
  const sockets = [];

  before(async () => {
    await deploy('abcxy');
    for (const these of [letters, ...letters]) sessions.push(await polling([...these]));
    for (const letter of letters) sockets.push(await cutOff(letter));
    await deploy('yxcba');
  });

  test('sessions that poll go on, with the handlers of their namespaces', async () => {
    for (const session of sessions) await assertOwnHandlers(session);
  });

  test('sockets that were stored come back, with those of theirs', async () => {
    for (const { letter, id, auth } of sockets) {
      const { member, sid } = await comeBack(reopen, namespaces[letter], auth);
      assert.equal(sid, id);
      assert.deepEqual(await member.ask('which'), [letter, namespaces[letter]]);
    }
  });
});

describe('some are not there any more', workerOnly, () => {
  const gone = ['b', 'x'];
  const kept = letters.filter((letter) => !gone.includes(letter));
  const sockets = [];
  let whole, parts, mixed;

  before(async () => {
    await deploy('abcxy');
    whole = await polling(kept);
    parts = [];
    for (const letter of gone) parts.push(await polling([letter]));
    mixed = await polling(letters);
    for (const letter of letters) sockets.push(await cutOff(letter));
    await deploy('yca');
  });

  test('a session without them goes on', () => assertOwnHandlers(whole));

  test('one with any of them is over, and its client starts over', async () => {
    for (const { client } of [...parts, mixed]) {
      assertError(await client.try('2/a,["which"]'), UNKNOWN_SID);
      assert.deepEqual(await client.ended(), []);
    }
    await assertOwnHandlers(await polling(kept));
  });

  test('a socket that was stored of one is refused, the others come back', async () => {
    for (const { letter, id, auth } of sockets) {
      const namespace = namespaces[letter];
      if (gone.includes(letter)) {
        const client = await reopen();
        await client.send(`0${namespace},${JSON.stringify(auth)}`);
        await client.expect(`4${namespace},{"message":"Invalid namespace"}`);
      } else {
        const { member, sid } = await comeBack(reopen, namespace, auth);
        assert.equal(sid, id);
        assert.deepEqual(await member.ask('which'), [letter, namespace]);
      }
    }
  });
});
