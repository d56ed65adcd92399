// The same clients, with the object asleep between any two steps: they can tell
// nothing. And what must not wake a sleeping object.

import { after, describe, test } from 'node:test';
import assert from 'node:assert/strict';
import { ways } from '../harness/clients/common.mjs';
import { scenarios } from '../harness/clients/engine-scenarios.mjs';
import { connect, libraries } from '../harness/clients/engine.mjs';
import { assertEchoes } from '../harness/engine/expect.mjs';
import { openSession } from '../harness/engine/session.mjs';
import { startServer } from '../harness/server.mjs';
import { sleeping } from '../harness/target.mjs';
import { fetchRaw } from '../harness/wire/http.mjs';

const server = await startServer();
after(() => server.stop());

const path = '/sleepy/';

for (const library of libraries) {
  // Polling holds a request open, which keeps an object awake: see the other file.
  for (const way of ways.filter(({ ends }) => ends === 'websocket')) {
    // A session that has not been saved yet must not be put to sleep by a
    // neighbour's test, so those that begin by polling run one after the other.
    const concurrency = way.transports.length > 1 ? 1 : 4;

    describe(`${library.name}, ${way.name}, asleep in between`, { concurrency, ...sleeping }, () => {
      for (const [name, run] of Object.entries(scenarios)) {
        test(name, async (t) => {
          const client = await connect(server, library, { path, transports: way.transports });
          const other = await connect(server, library, { path, transports: ['websocket'] });
          t.after(() => [client, other].forEach((one) => one.close()));
          const pause = () => server.sleep(client.sid);
          await run({ client, other, server, path, pause, way });
        });
      }
    });
  }
}

describe('what does not wake a sleeping object', sleeping, () => {
  for (const [revision, packet, answer] of [
    [3, '2', '3'],
    [4, '3', '6'],
  ]) {
    test(`revision ${revision}: the packet ${packet} is answered with ${answer} in its sleep`, async () => {
      const peer = await openSession(server, { revision, path });
      assert.equal(await server.sleep(peer.sid), true);
      peer.send(packet);
      assert.equal(await peer.next(), answer);
      assert.equal(await server.sleep(peer.sid), false, 'it was awake');
      await assertEchoes(peer);
      peer.close();
    });
  }

  test('a forged session id of the same object', async () => {
    const query = { EIO: 4, transport: 'polling', sid: Buffer.alloc(44, 9).toString('base64url') };
    const answer = await fetchRaw(server, { path, query });
    assert.equal(answer.status, 400);
    assert.equal(await server.sleep(query.sid).catch(() => false), false);
  });
});

describe('an object that sleeps', { concurrency: true, ...sleeping }, () => {
  test('keeps a hundred sessions apart', async () => {
    const peers = await Promise.all(
      Array.from({ length: 100 }, () => openSession(server, { path })),
    );
    for (const [index, peer] of peers.entries()) {
      peer.send(`4cmd:session set number ${index}`);
      assert.equal(await peer.next(), '4saved');
    }
    await Promise.all(peers.map(({ sid }) => server.sleep(sid)));
    for (const [index, peer] of peers.entries()) {
      peer.send('4cmd:session get');
      assert.equal(await peer.next(), `4number ${index}`);
      peer.close();
    }
  });

  test('keeps a user session of 100 kB, too large for its socket', async () => {
    const peer = await openSession(server, { path });
    const text = 'é'.repeat(50_000);
    peer.send(`4cmd:session set ${text}`);
    assert.equal(await peer.next(), '4saved');
    await server.sleep(peer.sid);
    peer.send('4cmd:session get');
    assert.equal(await peer.next(), `4${text}`);
    peer.close();
  });

  test('remembers what on_connect saw', async () => {
    const peer = await openSession(server, { path, query: { token: 'abc' } });
    await server.sleep(peer.sid);
    peer.send('4cmd:request');
    assert.equal(JSON.parse((await peer.next()).slice(1)).query.token, 'abc');
    peer.close();
  });

  test('learns of a close that happens in its sleep', async () => {
    const peer = await openSession(server, { path });
    await server.sleep(peer.sid);
    peer.close();
    assert.equal(await server.logs.reason(peer.sid), 'transport close');
    const { code } = await peer.end();
    assert.notEqual(code, 1006);
  });

  test('learns of a connection that breaks in its sleep', async () => {
    const peer = await openSession(server, { path });
    await server.sleep(peer.sid);
    peer.socket._socket.resetAndDestroy();
    assert.match(await server.logs.reason(peer.sid), /^transport (close|error)$/);
  });

  test('closes for a bad packet that wakes it: "parse error"', async () => {
    const peer = await openSession(server, { path });
    await server.sleep(peer.sid);
    peer.send('abc');
    await peer.end();
    assert.equal(await server.logs.reason(peer.sid), 'parse error');
  });

  // One pulse pings every session of an object, so a session may be pinged early,
  // but not within a quarter of the ping timeout after its handshake.
  test('wakes to ping revision 4 within 30 s, and closes it without a pong', async () => {
    const [answers, silent] = [await openSession(server, { path }), await openSession(server, { path })];
    const began = performance.now();
    await Promise.all([server.sleep(answers.sid), server.sleep(silent.sid)]);
    assert.equal(await answers.next('ping', 40_000), '2');
    assert.ok(performance.now() - began > 4_500);
    answers.send('3');
    assert.equal(await silent.next('ping', 40_000), '2');
    await Promise.all([server.sleep(answers.sid), server.sleep(silent.sid)]);
    await silent.end('close for the lack of a pong', 60_000);
    assert.equal(await server.logs.reason(silent.sid), 'ping timeout');
    answers.send('4still here');
    const frames = [await answers.next()];
    while (frames.at(-1) !== '4still here') frames.push(await answers.next());
    assert.ok(frames.every((frame) => ['2', '6', '4still here'].includes(frame)), String(frames));
    answers.close();
  });

  test('is left by nobody when it is cut: the sessions end, and new ones begin', async () => {
    const endpoint = { path: '/strict/' };
    const peer = await openSession(server, endpoint);
    await server.cut(peer.sid);
    await peer.end();
    const again = await openSession(server, endpoint);
    await assertEchoes(again);
    again.close();
  });
});
