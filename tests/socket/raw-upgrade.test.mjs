// Sockets do not notice that their session moves from polling to a WebSocket.

import { after, describe, test } from 'node:test';
import assert from 'node:assert/strict';
import { openPolling } from '../harness/engine/session.mjs';
import { startServer } from '../harness/server.mjs';
import { freshNamespace, openMember } from '../harness/socket/client.mjs';

const server = await startServer();
after(() => server.stop());

const path = '/io/';

for (const revision of [3, 4]) {
  /** A polling session in a namespace, and in the room `room`. */
  const open = async (namespace) => {
    const session = await openPolling(server, { path, revision });
    if (revision === 3) assert.deepEqual(await session.collect(2), ['40', '42["auth",{}]']);
    await session.send(`40${namespace},`);
    const [answer] = await session.poll();
    assert.ok(answer.startsWith(`40${namespace},`), answer);
    await session.send(`42${namespace},1["join","room"]`);
    assert.deepEqual(await session.poll(), [`43${namespace},1[["room"]]`]);
    return session;
  };
  const bytes = (...values) => Buffer.from(revision === 3 ? [4, ...values] : values);
  const placeholder = '{"_placeholder":true,"num":0}';

  describe(`revision ${revision}`, { concurrency: true }, () => {
    test('namespaces, rooms and events go on after the upgrade', async () => {
      const namespace = freshNamespace();
      const session = await open(namespace);
      const peer = await session.upgraded();
      peer.send(`42${namespace},2["rooms"]`);
      assert.equal(await peer.next(), `43${namespace},2[["room"]]`);
      const other = await openMember(server, { path, namespace });
      assert.deepEqual(await other.ask('cast', { to: ['room'] }, 'hello', 1), ['ok']);
      assert.equal(await peer.next(), `42${namespace},["hello",1]`);
      peer.send('40/custom,');
      assert.ok((await peer.next()).startsWith('40/custom,'));
      peer.close();
    });

    test('events while it probes: each arrives once, in order', async () => {
      const namespace = freshNamespace();
      const session = await open(namespace);
      const other = await openMember(server, { path, namespace });
      const peer = await session.upgrade();
      peer.send('2probe');
      assert.equal(await peer.next(), '3probe');
      await other.ask('cast', { to: ['room'] }, 'n', 0);
      await session.send(`42${namespace},["message","by POST"]`);
      const packets = [];
      while (packets.length < 2) packets.push(...(await session.poll()).filter((packet) => packet !== '6'));
      await other.ask('cast', { to: ['room'] }, 'n', 1);
      peer.send('5');
      await other.ask('cast', { to: ['room'] }, 'n', 2);
      for (const index of [1, 2]) packets.push(await peer.next(`n ${index}`));
      const expected = ['["n",0]', '["message-back","by POST"]', '["n",1]', '["n",2]'];
      assert.deepEqual(packets, expected.map((json) => `42${namespace},${json}`));
      peer.close();
    });

    test('a packet may begin by POST and have its attachment by WebSocket', async () => {
      const namespace = freshNamespace();
      const session = await open(namespace);
      await session.send(`451-${namespace},["message",${placeholder}]`);
      const peer = await session.upgraded();
      peer.send(bytes(1, 2, 3));
      assert.equal(await peer.next(), `451-${namespace},["message-back",${placeholder}]`);
      assert.deepEqual(await peer.next(), bytes(1, 2, 3));
      peer.close();
    });

    test('a binary event that waits for the upgrade arrives whole', async () => {
      const namespace = freshNamespace();
      const session = await open(namespace);
      const peer = await session.upgrade();
      peer.send('2probe');
      assert.equal(await peer.next(), '3probe');
      await session.send(`42${namespace},["big-binary",3]`, `42${namespace},["message",1]`);
      peer.send('5');
      assert.equal(await peer.next(), `451-${namespace},["big-binary",${placeholder}]`);
      assert.deepEqual(await peer.next(), bytes(0x2a, 0x2a, 0x2a));
      assert.equal(await peer.next(), `42${namespace},["message-back",1]`);
      peer.close();
    });

    test('disconnected in the middle: the client hears of it', async () => {
      const namespace = freshNamespace();
      const session = await open(namespace);
      const peer = await session.upgrade();
      peer.send('2probe');
      assert.equal(await peer.next(), '3probe');
      await session.send(`42${namespace},["leave-me"]`);
      peer.send('5');
      assert.equal(await peer.next(), `41${namespace},`);
      peer.close();
    });
  });
}
