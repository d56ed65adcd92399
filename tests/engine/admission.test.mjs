// A check of clients that waits for something, before any object knows of them.

import { after, describe, test } from 'node:test';
import assert from 'node:assert/strict';
import { assertEchoes, assertError } from '../harness/engine/expect.mjs';
import { openPolling, openSession } from '../harness/engine/session.mjs';
import { startServer } from '../harness/server.mjs';
import { differs, workerOnly } from '../harness/target.mjs';
import { drop, fetchRaw, send } from '../harness/wire/http.mjs';
import { refusedWebSocket } from '../harness/wire/websocket.mjs';

const server = await startServer();
after(() => server.stop());

const { logs } = server;
const path = '/admitted/';

let names = 0;
const freshName = () => `${process.pid}-${(names += 1)}`;
const handshake = (query) => ({ path, query: { EIO: 4, transport: 'polling', ...query } });
const get = (query) => fetchRaw(server, handshake(query));

for (const revision of [3, 4]) {
  describe(`revision ${revision}: a client that is admitted after a while`, { concurrency: true }, () => {
    test('via polling', async () => {
      const session = await openPolling(server, { path, revision });
      await session.send('4hello');
      assert.deepEqual(await session.poll(), ['4hello']);
    });

    test('over WebSocket', async () => {
      const peer = await openSession(server, { path, revision });
      await assertEchoes(peer);
      peer.close();
    });
  });
}

describe('a client that is refused after a while', { concurrency: true }, () => {
  test('403 with code 4 and "Forbidden"', async () => {
    assertError(await get({ admission: 'no' }), 4);
  });

  test('with a message: 403 with code 4 and that message', async () => {
    assertError(await get({ admission: 'msg' }), 4, 'not you');
  });

  test('on WebSocket: HTTP 403, no 101', differs('answers every refused WebSocket with 400'), async () => {
    assertError(await refusedWebSocket(server, { path, query: { EIO: 4, admission: 'no' } }), 4);
  });

  test('comes before the revision', differs('takes every EIO but "4" for 3'), async () => {
    assertError(await get({ EIO: 9, admission: 'no' }), 4);
    assertError(await get({ EIO: 9 }), 5);
  });

  test('by an error that is not for it: the log has it', workerOnly, async () => {
    assertError(await get({ admission: 'fail' }), 4, 'internal error');
    const line = await logs.waitFor({ event: 'handler failed', handler: 'admit' });
    assert.equal(line.level, 'error');
    assert.match(line.message, /NOWHERE/);
  });

  test('from within the application’s own routes', workerOnly, async () => {
    const handled = (query) => fetchRaw(server, { ...handshake(query), path: `/handled${path}` });
    assertError(await handled({ admission: 'msg' }), 4, 'not you');
    const answer = await handled({});
    assert.equal(answer.status, 200);
    assert.equal(answer.headers['x-handled'], 'yes');
  });
});

test('it is asked once, at the handshake', async () => {
  const session = await openPolling(server, { path });
  await session.send('4hello');
  assert.deepEqual(await session.poll({ query: { admission: 'no' } }), ['4hello']);
});

test('others are served meanwhile', async () => {
  const slow = get({ delay: 1_500 }).then(() => 'slow');
  const quick = get({ delay: 0 }).then(() => 'quick');
  assert.equal(await Promise.race([slow, quick]), 'quick');
  await slow;
});

test('a client that goes meanwhile: its check is dropped, and no object hears of it', workerOnly, async () => {
  const name = freshName();
  const waiting = send(server, handshake({ name, delay: 1_000 }));
  await logs.waitFor({ event: 'admission asked', name });
  drop(waiting);
  const later = freshName();
  assert.equal((await get({ name: later, delay: 1_300 })).status, 200);
  await logs.waitFor({ event: 'admission decided', name: later });
  assert.deepEqual(logs.find({ event: 'admission decided', name }), []);
});

test('one that never decides: the client is refused', workerOnly, async () => {
  const { response } = send(server, { ...handshake({ admission: 'hang' }), patience: 45_000 });
  assertError(await response, 4);
  const line = await logs.waitFor({ event: 'admit dropped', handler: 'admit' });
  assert.equal(line.level, 'warn');
});

describe('a check that panics', { ...workerOnly, concurrency: 1 }, () => {
  test('its client is refused, and so are those whose checks wait in the same place', async () => {
    const [name, beside] = [freshName(), freshName()];
    const waits = send(server, handshake({ name: beside, delay: 5_000 }));
    await logs.waitFor({ event: 'admission asked', name: beside });
    assertError(await get({ name, admission: 'panic' }), 4);
    assertError(await waits.response, 4);
    const line = await logs.waitFor({ event: 'handler panicked', handler: 'admit' });
    assert.match(line.message, /asked to, on admission/);
  });

  test('sessions go on, and others are admitted', async () => {
    const peer = await openSession(server, { path });
    assertError(await get({ admission: 'panic' }), 4);
    await assertEchoes(peer);
    peer.close();
    const session = await openPolling(server, { path });
    await session.send('4hello');
    assert.deepEqual(await session.poll(), ['4hello']);
  });
});
