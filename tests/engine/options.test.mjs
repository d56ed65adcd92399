// Each option, seen from outside.

import { after, describe, test } from 'node:test';
import assert from 'node:assert/strict';
import { assertAlive, assertEchoes } from '../harness/engine/expect.mjs';
import { openPolling, openSession } from '../harness/engine/session.mjs';
import { startServer } from '../harness/server.mjs';
import { differs } from '../harness/target.mjs';

const server = await startServer();
after(() => server.stop());

describe('transports', { concurrency: true }, () => {
  test('polling alone: a session lives, and offers no upgrade', async () => {
    const session = await openPolling(server, { path: '/polling/' });
    assert.deepEqual(session.handshake.upgrades, []);
    await assertAlive(session);
  });

  test('WebSocket alone: a session lives', async () => {
    const peer = await openSession(server, { path: '/websocket/' });
    await assertEchoes(peer);
    peer.close();
  });
});

describe('payload limit', { concurrency: true }, () => {
  const path = '/strict/';

  test('is told in the handshake', async () => {
    const { handshake } = await openPolling(server, { path });
    assert.equal(handshake.maxPayload, 1_000);
  });

  test('n bytes are taken by POST, n + 1 are not', async () => {
    const session = await openPolling(server, { path });
    assert.equal((await session.post(`4${'x'.repeat(1_000)}`)).status, 413);
    await assertAlive(session);
    assert.equal((await session.post(`4${'x'.repeat(999)}`)).status, 200);
    assert.deepEqual(await session.poll(), [`4${'x'.repeat(999)}`]);
  });

  test('n bytes are taken by WebSocket, n + 1 are not', async () => {
    const peer = await openSession(server, { path });
    await assertEchoes(peer, `4${'x'.repeat(999)}`);
    peer.send(`4${'x'.repeat(1_000)}`);
    assert.equal((await peer.end()).code, 1009);
  });

  test('does not bound what the server sends', async () => {
    const session = await openPolling(server, { path });
    await session.send('4cmd:big 5000');
    assert.deepEqual(await session.poll(), [`4${'x'.repeat(5_000)}`]);
  });
});

describe('handlers', { concurrency: true }, () => {
  test('run concurrently by default: a slow one holds nobody up', async () => {
    const peer = await openSession(server, { path: '/sleepy/' });
    peer.send('4cmd:slow 300 slow');
    await assertEchoes(peer, '4fast');
    assert.equal(await peer.next(), '4slow');
    peer.close();
  });

  const ordered = differs('knows no such option');

  test('run in order where they are told to, by WebSocket', ordered, async () => {
    const peer = await openSession(server, { path: '/ordered/' });
    peer.send('4cmd:slow 200 slow');
    peer.send('4fast');
    assert.equal(await peer.next(), '4slow');
    assert.equal(await peer.next(), '4fast');
    peer.close();
  });

  test('run in order where they are told to, by polling', ordered, async () => {
    const session = await openPolling(server, { path: '/ordered/' });
    await session.send('4cmd:slow 200 slow', '4fast');
    assert.deepEqual(await session.collect(2), ['4slow', '4fast']);
  });

  test('in order means for one client: another is not held up', ordered, async () => {
    const slow = await openSession(server, { path: '/ordered/' });
    const fast = await openSession(server, { path: '/ordered/' });
    slow.send('4cmd:slow 500 slow');
    fast.send('4fast');
    const first = await Promise.race([slow.next(), fast.next()]);
    assert.equal(first, '4fast');
    slow.close();
    fast.close();
  });
});
