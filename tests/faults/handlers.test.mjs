// Handlers that never return, and handlers that keep the processor to themselves: nobody
// else is harmed, and what was promised to end in time does. Those that panic are in
// engine/faults.test.mjs and socket/raw-faults.test.mjs; here, all of it together.

import { after, describe, test } from 'node:test';
import assert from 'node:assert/strict';
import { bystanders } from '../harness/engine/bystanders.mjs';
import { assertEchoes } from '../harness/engine/expect.mjs';
import { openPolling, openSession } from '../harness/engine/session.mjs';
import { objectId } from '../harness/runtime/built.mjs';
import { startServer } from '../harness/server.mjs';
import { socketBystanders } from '../harness/socket/bystanders.mjs';
import { freshNamespace, openMember } from '../harness/socket/client.mjs';
import { workerOnly } from '../harness/target.mjs';
import { drop } from '../harness/wire/http.mjs';

const server = await startServer();
after(() => server.stop());

const { logs } = server;
// Millions of rounds: a second or so, on a machine that has nothing else to do.
const LONG = 400;

const engine = '/limited-engine/';
const io = '/limited/';
// A heartbeat of 400 ms, and 600 ms for the answer: its objects never sleep.
const SHORT = '/engine.io/';

/** Objects of an Engine.IO server are many: one that is in that of this sid. */
async function beside(sid, open) {
  for (;;) {
    const session = await open();
    if (objectId(session.sid) === objectId(sid)) return session;
  }
}

describe('a handler that never returns', workerOnly, () => {
  for (const revision of [3, 4]) {
    test(`revision ${revision}: its client and all others are served, and its object sleeps`, async () => {
      const options = { revision, path: engine };
      const peer = await openSession(server, options);
      const other = await beside(peer.sid, () => openSession(server, options));
      for (let round = 0; round < 10; round += 1) peer.send('4cmd:hang');
      for (const one of [peer, other]) {
        await assertEchoes(one);
      }
      assert.equal(await server.sleep(peer.sid), true);
      for (const one of [peer, other]) {
        await assertEchoes(one, '4awake');
        one.close();
      }
    });
  }

  test('by polling: the poll is answered with what comes after it', async () => {
    const session = await openPolling(server, { path: engine });
    const held = session.poll();
    await session.send('4cmd:hang', '4after');
    assert.deepEqual(await held, ['4after']);
    await session.send('1');
  });

  test('a socket: its other events are served, and its object sleeps', async () => {
    const namespace = freshNamespace();
    const [member, other] = [
      await openMember(server, { path: io, namespace }),
      await openMember(server, { path: io, namespace }),
    ];
    await member.client.send(`2${member.prefix}["hang"]`, `2${member.prefix}99["hang"]`);
    await member.nothing();
    await other.nothing();
    assert.equal(await server.sleep(member.client.sid), true);
    await member.ask('join', 'room');
    assert.deepEqual(await other.ask('cast', { to: ['room'] }, 'news', 1), ['ok']);
    await member.expect('news', 1);
    await member.client.close();
    await other.client.close();
  });

  test('a thousand of one client: it is closed, and nobody else', async () => {
    const others = await bystanders(server, { path: engine });
    const peer = await openSession(server, { path: engine });
    for (let round = 0; round < 1_001; round += 1) peer.send('4cmd:hang');
    await peer.end();
    await logs.waitFor({ event: 'overrun', sid: peer.sid });
    await others.check();
    await others.leave();
  });

  test('in order, the messages behind it wait, up to the bound; others are served', async () => {
    const path = '/ordered/';
    const others = await bystanders(server, { path });
    const peer = await openSession(server, { path });
    peer.send('4cmd:hang');
    for (let round = 0; round < 1_000; round += 1) peer.send('4waits');
    await peer.end();
    assert.deepEqual(peer.pending, []);
    await others.check();
    await others.leave();
  });

  test('a task that never ends is dropped at its limit, and the object sleeps', async () => {
    const member = await openMember(server, { path: io, namespace: freshNamespace() });
    await member.emit('later', 600_000, 'never');
    const asleep = server.sleep(member.client.sid);
    const { option } = await logs.waitFor({ event: 'task dropped', sid: member.client.sid });
    assert.equal(option, 'task_limit');
    assert.equal(await asleep, true);
    await member.nothing();
    await member.client.close();
  });
});

describe('a handler that keeps the processor to itself for long', workerOnly, () => {
  test('everybody is answered after it, in order, and no heartbeat is missed', async () => {
    const peers = await Promise.all(Array.from({ length: 5 }, () => openSession(server, { path: engine })));
    const sessions = [await openPolling(server, { path: engine }), await openPolling(server, { path: engine })];
    const culprit = await beside(sessions[0].sid, () => openSession(server, { path: engine }));
    const held = sessions.map((session) => session.poll());
    culprit.send(`4cmd:block ${LONG}`);
    for (const peer of peers) for (const number of [1, 2, 3]) peer.send(`4${number}`);
    await Promise.all(sessions.map((session) => session.send('4polled')));
    for (const peer of peers) {
      for (const number of [1, 2, 3]) assert.equal(await nextMessage(peer, 30_000), `4${number}`);
    }
    assert.match(await culprit.next('answer', 30_000), /^4\d+$/);
    for (const packets of await Promise.all(held)) assert.deepEqual(packets, ['4polled']);
    for (const { sid } of [...peers, ...sessions]) {
      assert.deepEqual(logs.find({ event: 'disconnect', sid }), []);
    }
    for (const peer of [culprit, ...peers]) peer.close();
  });

  test('sockets: acknowledgements and a room wait, and lose nothing', async () => {
    const namespace = freshNamespace();
    const open = (transport) => openMember(server, { path: io, namespace, transport });
    const [culprit, speaker, listener] = [await open(), await open(), await open('polling')];
    await listener.ask('join', 'room');
    await culprit.client.send(`2${culprit.prefix}7["block",${LONG}]`);
    for (let number = 0; number < 20; number += 1) await speaker.emit('cast', { to: ['room'] }, 'n', number);
    for (let number = 0; number < 20; number += 1) await listener.expect('n', number);
    assert.match(await culprit.client.next('acknowledgement', 30_000), /^3[^,]+,7\[\d+\]$/);
    await Promise.all([culprit, speaker, listener].map(({ client }) => client.close()));
  });
});

describe('a panic', workerOnly, () => {
  test('beside handlers that hang, polls that are held and sockets that are awake', async () => {
    const ofEngine = await bystanders(server, { path: engine });
    const ofSockets = await socketBystanders(server, { path: io });
    const hanging = await openSession(server, { path: engine });
    hanging.send('4cmd:hang');
    const awake = await openAwake(SHORT);
    const culprit = await openMember(server, { path: io });
    await culprit.emit('panic');
    await culprit.nothing();
    await ofEngine.check();
    await ofSockets.check();
    for (const peer of [hanging, awake]) {
      peer.send('4hello');
      assert.equal(await nextMessage(peer), '4hello');
      peer.close();
    }
    await Promise.all([ofEngine.leave(), ofSockets.leave(), culprit.client.close()]);
  });
});

describe('panics, one after the other', workerOnly, () => {
  test('a poll that was held through them, and is dropped: its session ends', async () => {
    const session = await openPolling(server, { path: engine });
    const held = session.start();
    held.response.catch(() => {});
    const culprit = await beside(session.sid, () => openSession(server, { path: engine }));
    for (let round = 0; round < 2; round += 1) {
      culprit.send('4cmd:panic');
      await assertEchoes(culprit);
    }
    drop(held);
    assert.equal(await logs.reason(session.sid), 'transport error');
    culprit.close();
  });

  // To take ten new instances takes longer than a short heartbeat, on a slow machine.
  for (const path of ['/awake-engine/', engine]) {
    test(`what others say at ${path} meanwhile is answered, all of it and in order`, async () => {
      const peers = await Promise.all(Array.from({ length: 10 }, () => openAwake(path)));
      const culprit = await openAwake(path);
      for (let round = 0; round < 10; round += 1) {
        const say = (number) => peers.forEach((peer) => peer.send(`4${round} ${number}`));
        [0, 1, 2, 3, 4].forEach(say);
        culprit.send('4cmd:panic');
        [5, 6, 7, 8, 9].forEach(say);
      }
      for (const peer of peers) {
        for (let index = 0; index < 100; index += 1) {
          assert.equal(await nextMessage(peer), `4${Math.floor(index / 10)} ${index % 10}`);
        }
      }
      for (const peer of [culprit, ...peers]) peer.close();
    });
  }
});

/** A session that answers its pings. */
async function openAwake(path) {
  const peer = await openSession(server, { path });
  peer.socket.on('message', (data) => String(data) === '2' && peer.send('3'));
  return peer;
}

/** The next frame that is no ping. */
async function nextMessage(peer, ms) {
  for (;;) {
    const frame = await peer.next('message', ms);
    if (frame !== '2') return frame;
  }
}
