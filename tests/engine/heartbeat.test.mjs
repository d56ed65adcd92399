// The heartbeat of both revisions, at 400 ms + 600 ms.

import { after, describe, test } from 'node:test';
import assert from 'node:assert/strict';
import { pass } from '../harness/delays.mjs';
import { assertClosed, assertEchoes } from '../harness/engine/expect.mjs';
import { openPolling, openSession } from '../harness/engine/session.mjs';
import { startServer } from '../harness/server.mjs';
import { differs } from '../harness/target.mjs';

const server = await startServer();
after(() => server.stop());

const path = '/engine.io/';
const INTERVAL = 400;
const TIMEOUT = 600;
const { logs } = server;
const quiet = () => pass(INTERVAL + TIMEOUT + 20);

describe('revision 4', { concurrency: true }, () => {
  const polling = (options) => openPolling(server, { path, ...options });
  const websocket = (options) => openSession(server, { path, ...options });

  test('the server pings by polling and after each pong again', async () => {
    const session = await polling();
    for (let round = 0; round < 3; round += 1) {
      assert.deepEqual(await session.poll(), ['2']);
      await session.send('3');
    }
  });

  test('the server pings by WebSocket and after each pong again', async () => {
    const peer = await websocket();
    for (let round = 0; round < 3; round += 1) {
      assert.equal(await peer.next(), '2');
      peer.send('3');
    }
    peer.close();
  });

  test('no ping comes before one interval has passed', async () => {
    const began = performance.now();
    const peer = await websocket();
    assert.equal(await peer.next(), '2');
    // A lower bound holds on a slow machine too.
    assert.ok(performance.now() - began >= INTERVAL - 5);
    peer.close();
  });

  test('the next ping comes one interval after the pong, not after the ping', async () => {
    const peer = await websocket();
    await peer.next();
    await pass(TIMEOUT / 2);
    const ponged = performance.now();
    peer.send('3');
    assert.equal(await peer.next(), '2');
    assert.ok(performance.now() - ponged >= INTERVAL - 5);
    peer.close();
  });

  test('a pong may carry data, which means nothing', async () => {
    const peer = await websocket();
    assert.equal(await peer.next(), '2');
    peer.send('3anything');
    assert.equal(await peer.next(), '2');
    peer.close();
  });

  test('no pong by WebSocket: closed, "ping timeout"', async () => {
    const peer = await websocket();
    await peer.end();
    assert.deepEqual(peer.pending, ['2']);
    assert.equal(await logs.reason(peer.sid), 'ping timeout');
  });

  test('no pong by polling: closed, "ping timeout"', async () => {
    const session = await polling();
    assert.deepEqual(await session.poll(), ['2']);
    assert.equal(await logs.reason(session.sid), 'ping timeout');
    await assertClosed(session);
  });

  test('no pong, with a poll held again: it is answered and the session is gone', async () => {
    const session = await polling();
    assert.deepEqual(await session.poll(), ['2']);
    const answer = await session.get();
    assert.ok(answer.status === 200 || answer.status === 400, `status ${answer.status}`);
    assert.equal(await logs.reason(session.sid), 'ping timeout');
    await assertClosed(session);
  });

  test('the timeout is judged by the clock at the next request', async () => {
    const session = await polling();
    await quiet();
    await assertClosed(session);
    assert.equal(await logs.reason(session.sid), 'ping timeout');
  });

  test('the timeout is judged by the clock at the next POST', async () => {
    const session = await polling();
    await quiet();
    assert.equal((await session.post('3')).status, 400);
    assert.equal(await logs.reason(session.sid), 'ping timeout');
  });

  test('the heartbeat goes on after an upgrade', async () => {
    const session = await polling();
    const peer = await session.upgraded();
    for (let round = 0; round < 2; round += 1) {
      assert.equal(await peer.next(), '2');
      peer.send('3');
    }
    peer.close();
  });

  test('an upgraded session that stays silent is closed: "ping timeout"', async () => {
    const session = await polling();
    const peer = await session.upgraded();
    await peer.end();
    assert.equal(await logs.reason(session.sid), 'ping timeout');
  });

  test('a ping waits in the buffer for the next poll', async () => {
    const session = await polling();
    await session.send('4hello');
    // Who came later has been pinged: so this one has been.
    const later = await websocket();
    assert.equal(await later.next(), '2');
    later.close();
    assert.deepEqual(await session.poll(), ['4hello', '2']);
  });
});

describe('revision 3', { concurrency: true }, () => {
  const polling = (options) => openPolling(server, { revision: 3, path, ...options });
  const websocket = (options) => openSession(server, { revision: 3, path, ...options });

  test('a ping by polling gets a pong', async () => {
    const session = await polling();
    for (let round = 0; round < 3; round += 1) {
      await session.send('2');
      assert.deepEqual(await session.poll(), ['3']);
    }
  });

  test('a ping by WebSocket gets a pong', async () => {
    const peer = await websocket();
    for (let round = 0; round < 3; round += 1) {
      peer.send('2');
      assert.equal(await peer.next(), '3');
    }
    peer.close();
  });

  test('pings keep a session alive beyond the timeout', async () => {
    const peer = await websocket();
    for (let round = 0; round < 4; round += 1) {
      await pass((INTERVAL + TIMEOUT) / 2);
      peer.send('2');
      assert.equal(await peer.next(), '3');
    }
    peer.close();
  });

  test('the server sends no ping of its own', async () => {
    const peer = await websocket();
    await peer.end();
    assert.deepEqual(peer.pending, []);
  });

  test('silence by WebSocket: closed, "ping timeout"', async () => {
    const peer = await websocket();
    await peer.end();
    assert.equal(await logs.reason(peer.sid), 'ping timeout');
  });

  test('silence by polling: the held poll is answered, the session is gone', async () => {
    const session = await polling();
    const { status } = await session.get();
    assert.ok(status === 200 || status === 400, `status ${status}`);
    assert.equal(await logs.reason(session.sid), 'ping timeout');
    await assertClosed(session);
  });

  test('the timeout is judged by the clock at the next request', async () => {
    const session = await polling();
    await quiet();
    assert.equal((await session.post('1:2')).status, 400);
    assert.equal(await logs.reason(session.sid), 'ping timeout');
  });

  const forgets = differs('forgets its timer at the upgrade');
  test('an upgraded session that stays silent is closed: "ping timeout"', forgets, async () => {
    const session = await polling();
    const peer = await session.upgraded();
    await peer.end();
    assert.equal(await logs.reason(session.sid), 'ping timeout');
  });
});

describe('revision 3, details', { concurrency: true }, () => {
  test('data of a ping is echoed in the pong', differsInJs(), async () => {
    const peer = await openSession(server, { revision: 3, path });
    peer.send('2abc');
    assert.equal(await peer.next(), '3abc');
    peer.close();
  });

  test('any data counts as a sign of life', differsInJs(), async () => {
    const peer = await openSession(server, { revision: 3, path });
    for (let round = 0; round < 4; round += 1) {
      await pass((INTERVAL + TIMEOUT) / 2);
      await assertEchoes(peer);
    }
    peer.close();
  });
});

function differsInJs() {
  return differs('counts and echoes bare pings alone');
}
