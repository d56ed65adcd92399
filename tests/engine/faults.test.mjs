// A handler that panics or fails: its own event is lost and logged. Nobody else
// notices, nothing hangs, and the object still sleeps.

import { after, describe, test } from 'node:test';
import assert from 'node:assert/strict';
import { bystanders } from '../harness/engine/bystanders.mjs';
import { assertEchoes } from '../harness/engine/expect.mjs';
import { eachRevision } from '../harness/engine/revisions.mjs';
import { openPolling, openSession } from '../harness/engine/session.mjs';
import { startServer } from '../harness/server.mjs';
import { target } from '../harness/target.mjs';
import { fetchRaw } from '../harness/wire/http.mjs';

const server = await startServer();
after(() => server.stop());

const path = '/sleepy/';
const options = { skip: target === 'reference' && 'the reference server ends with its process' };

describe('faults of handlers', options, () => {
  eachRevision(server, path, ({ revision, polling, websocket, body }) => {
    for (const fault of ['panic', 'error']) {
      test(`${fault} on a message by WebSocket`, async () => {
        const others = await bystanders(server, { revision, path });
        const peer = await websocket();
        peer.send(`4cmd:${fault}`);
        const event = await server.logs.waitFor({ level: 'error', sid: peer.sid });
        assert.ok(event.event, 'the log names the event');
        await others.check();

        // The session itself has lost that message and nothing else.
        await assertEchoes(peer);
        await others.leave();
        peer.close();
      });

      test(`${fault} on a message by POST`, async () => {
        const others = await bystanders(server, { revision, path });
        const session = await polling();
        const answer = await session.post(body('4before', `4cmd:${fault}`, '4after'));
        assert.ok(answer.status < 500, `status ${answer.status}`);
        await server.logs.waitFor({ level: 'error', sid: session.sid });
        await others.check();
        assert.deepEqual(await session.collect(2), ['4before', '4after']);
        await others.leave();
      });

      test(`${fault} with a poll of the same session held`, async () => {
        const session = await polling();
        const held = session.poll();
        await session.post(body(`4cmd:${fault}`));
        await server.logs.waitFor({ level: 'error', sid: session.sid });
        await session.send('4hello');
        assert.deepEqual(await held, ['4hello']);
      });
    }
  });

  // One after the other: this puts the object to sleep under everyone.
  for (const fault of ['panic', 'error']) {
    test(`after a ${fault} the object still sleeps, and wakes with every session`, async () => {
      const peer = await openSession(server, { path });
      const bystander = await openSession(server, { path });
      bystander.send('4cmd:session set kept');
      assert.equal(await bystander.next(), '4saved');
      peer.send(`4cmd:${fault}`);
      await server.logs.waitFor({ level: 'error', sid: peer.sid });

      assert.equal(await server.sleep(peer.sid), true, 'the object was awake and fell asleep');
      await assertEchoes(peer);
      bystander.send('4cmd:session get');
      assert.equal(await bystander.next(), '4kept');
      peer.close();
      bystander.close();
    });
  }

  test('requests of others under way at the moment of a panic are answered', async () => {
    const culprit = await openSession(server, { path });
    const sessions = await Promise.all(Array.from({ length: 20 }, () => openPolling(server, { path })));
    for (let round = 0; round < 5; round += 1) {
      const sent = sessions.map((session) => session.send(`4round ${round}`));
      culprit.send('4cmd:panic');
      await Promise.all(sent);
      const polled = await Promise.all(sessions.map((session) => session.poll()));
      for (const packets of polled) assert.deepEqual(packets, [`4round ${round}`]);
    }
    culprit.close();
  });

  test('handshakes under way at the moment of a panic are answered', async () => {
    const culprit = await openSession(server, { path });
    for (let round = 0; round < 5; round += 1) {
      const opened = Array.from({ length: 10 }, () => openPolling(server, { path }));
      const peers = Array.from({ length: 10 }, () => openSession(server, { path }));
      culprit.send('4cmd:panic');
      for (const session of await Promise.all(opened)) await session.echo('alive');
      for (const peer of await Promise.all(peers)) peer.close();
    }
    culprit.close();
  });

  test('a panic after an await is no different', async () => {
    const others = await bystanders(server, { path });
    const peer = await openSession(server, { path });
    peer.send('4cmd:panic-later');
    await server.logs.waitFor({ level: 'error', sid: peer.sid });
    await others.check();
    await assertEchoes(peer);
    await others.leave();
    peer.close();
  });

  test('a panic in on_connect is an answer without a 5xx, and no session', async () => {
    const others = await bystanders(server, { path });
    const query = { EIO: 4, transport: 'polling', panic: 1 };
    const answer = await fetchRaw(server, { path, query });
    assert.ok(answer.status >= 400 && answer.status < 500, `status ${answer.status}: ${answer.text}`);
    await others.check();
    await others.leave();
  });

  test('a hundred panics in a row leave the server as it was', async () => {
    const others = await bystanders(server, { path });
    const peer = await openSession(server, { path });
    for (let round = 0; round < 100; round += 1) peer.send('4cmd:panic');
    await assertEchoes(peer);
    await others.check();
    await others.leave();
    peer.close();
  });
});
