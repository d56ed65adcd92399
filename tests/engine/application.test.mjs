// What an application can do: accept and refuse, send from anywhere, disconnect,
// ask for the transport, keep a session, work in the background.

import { after, describe, test } from 'node:test';
import assert from 'node:assert/strict';
import { assertClosed, assertEchoes, assertError } from '../harness/engine/expect.mjs';
import { eachRevision } from '../harness/engine/revisions.mjs';
import { openPolling, openSession } from '../harness/engine/session.mjs';
import { objectId } from '../harness/runtime/built.mjs';
import { startServer } from '../harness/server.mjs';
import { workerOnly } from '../harness/target.mjs';
import { within } from '#dormouse-test/wait.mjs';
import { fetchRaw } from '../harness/wire/http.mjs';
import { refusedWebSocket } from '../harness/wire/websocket.mjs';

const server = await startServer();
after(() => server.stop());

const path = '/sleepy/';
const ask = (method, route, sid, body) =>
  fetchRaw(server, { method, path: route, query: { path, sid }, body });

describe('a connection that the application refuses', { concurrency: true }, () => {
  const handshake = { EIO: 4, transport: 'polling', refuse: 1 };

  function assertRefused(answer, status) {
    assert.equal(answer.status, status);
    assert.equal(answer.headers['content-type'], 'application/json');
    assert.deepEqual(JSON.parse(answer.text), { reason: 'no' });
  }

  test('gets 401 with its data as JSON, by polling', workerOnly, async () => {
    assertRefused(await fetchRaw(server, { path, query: handshake }), 401);
  });

  test('gets 401 with its data as JSON, by WebSocket', workerOnly, async () => {
    const query = { EIO: 4, refuse: 1 };
    assertRefused(await refusedWebSocket(server, { path, query }), 401);
  });

  test('gets another status where the application says so', workerOnly, async () => {
    const query = { ...handshake, status: 418 };
    assertRefused(await fetchRaw(server, { path, query }), 418);
    assertRefused(await refusedWebSocket(server, { path, query: { EIO: 4, refuse: 1, status: 418 } }), 418);
  });

  test('gets 401 and no word of it where the application fails', workerOnly, async () => {
    const query = { EIO: 4, transport: 'polling', fault: 1 };
    for (const answer of [
      await fetchRaw(server, { path, query }),
      await refusedWebSocket(server, { path, query: { EIO: 4, fault: 1 } }),
    ]) {
      assert.deepEqual([answer.status, answer.text], [401, '"internal error"']);
    }
    const message = 'user session: more than 1048576 bytes of json';
    await server.logs.waitFor({ event: 'handler failed', level: 'error', handler: 'connect', message });
  });

  test('has CORS headers like any other answer', workerOnly, async () => {
    const headers = { origin: 'http://anything.example' };
    const answer = await fetchRaw(server, { path: '/engine.io/', query: handshake, headers });
    assertRefused(answer, 401);
    assert.equal(answer.headers['access-control-allow-origin'], '*');
  });

  test('is no session: neither connect nor disconnect is logged', workerOnly, async () => {
    const before = server.logs.find({ event: 'connect' }).length;
    await fetchRaw(server, { path, query: handshake });
    const { sid } = await openPolling(server);
    await server.logs.waitFor({ event: 'connect', sid });
    const refused = server.logs.find({ event: 'connect' }).slice(before);
    assert.ok(refused.every((event) => event.sid), 'a refused handshake has no session');
  });
});

eachRevision(server, path, ({ polling, websocket }) => {
  for (const [transport, open] of [['polling', polling], ['websocket', websocket]]) {
    const next = async (session) =>
      transport === 'polling' ? (await session.poll())[0] : session.next();

    describe(`a client by ${transport}`, { concurrency: true }, () => {
      test('is sent to from the Worker', async () => {
        const session = await open();
        assert.equal((await ask('POST', '/send', session.sid, 'hello €')).status, 200);
        assert.equal(await next(session), '4hello €');
      });

      test('is sent to from another session', async () => {
        const [session, other] = [await open(), await websocket()];
        other.send(`4cmd:send ${session.sid} hello`);
        assert.equal(await other.next(), '4sent');
        assert.equal(await next(session), '4hello');
        other.close();
      });

      test('is sent a text that begins with U+FEFF, from another object too', async () => {
        const session = await open();
        const isElsewhere = ({ sid }) => objectId(sid) !== objectId(session.sid);
        let other;
        do {
          other?.close();
          other = await websocket();
        } while (!isElsewhere(other));
        other.send(`4cmd:send ${session.sid} \ufeffhello`);
        assert.equal(await other.next(), '4sent');
        assert.equal(await next(session), '4\ufeffhello');
        other.close();
      });

      test('tells its transport', async () => {
        const session = await open();
        assert.equal((await ask('GET', '/transport', session.sid)).text, transport);
        await session.send('4cmd:transport');
        assert.equal(await next(session), `4${transport}`);
      });

      test('is disconnected from another session', async () => {
        const [session, other] = [await open(), await websocket()];
        other.send(`4cmd:disconnect ${session.sid}`);
        if (transport === 'polling') assert.equal((await session.poll()).at(-1), '1');
        else await session.end();
        assert.equal(await server.logs.reason(session.sid), 'forced close');
        other.close();
      });

      test('has a user session, which dies with it', async () => {
        const session = await open();
        const say = async (command) => {
          await session.send(`4cmd:session ${command}`);
          return next(session);
        };
        assert.equal(await say('get'), '4none');
        assert.equal(await say('set one two'), '4saved');
        assert.equal(await say('edit !'), '4one two!');
        assert.equal(await say('get'), '4one two!');
        const another = await open();
        await another.send('4cmd:session get');
        assert.equal(await next(another), '4none');
      });

      test('has a user session that other routes read, replace and edit', async () => {
        const session = await open();
        const told = async (body) => (await ask('POST', '/session', session.sid, body)).text;
        assert.equal(await told('reset'), 'null');
        assert.equal(await told('get'), '0');
        await Promise.all(['1', '2', '3'].map(told));
        assert.equal(await told('get'), '6');
        for (const body of ['get', 'reset', '1']) {
          const { status, text } = await ask('POST', '/session', (await open()).sid.slice(0, -1), body);
          assert.deepEqual([status, text], [404, 'user session: no such client']);
        }
      });

      test('is sent to by a background task', async () => {
        const session = await open();
        await session.send('4cmd:task 50 later');
        assert.equal(await next(session), '4later');
      });
    });
  }
});

describe('nobody', { concurrency: true }, () => {
  const unknown = [
    ['no session id', 'nobody'],
    ['an object that holds no such session', `${'A'.repeat(43)}${'B'.repeat(20)}`],
  ];
  for (const [name, sid] of unknown) {
    test(`${name}: 404 from each route, "unknown" from a session`, async () => {
      assert.equal((await ask('POST', '/send', sid, 'hello')).status, 404);
      assert.equal((await ask('POST', '/disconnect', sid)).status, 404);
      assert.equal((await ask('GET', '/transport', sid)).status, 404);
      const peer = await openSession(server);
      peer.send(`4cmd:send ${sid} hello`);
      assert.equal(await peer.next(), '4unknown');
      peer.close();
    });
  }

  test('a session that has ended is nobody', async () => {
    const peer = await openSession(server);
    peer.close();
    await server.logs.reason(peer.sid);
    assert.equal((await ask('POST', '/send', peer.sid, 'hello')).status, 404);
  });
});

test('a connection that the application never decides on gets 401', workerOnly, async () => {
  const url = `${server.url}${path}?EIO=4&transport=polling&hang=1`;
  const answer = await within(fetch(url), 'answer to the handshake', 45_000);
  assert.equal(answer.status, 401);
});

test("the clients of one server are not another's", workerOnly, async () => {
  const session = await openPolling(server, { path });
  const query = { path: '/ordered/', sid: session.sid };
  const answer = await fetchRaw(server, { method: 'POST', path: '/send', query, body: 'hello' });
  assert.equal(answer.status, 404);
  await session.send('4alive');
  assert.deepEqual(await session.poll(), ['4alive']);
});

describe('on_connect sees', { concurrency: true }, () => {
  const headers = { 'user-agent': 'dormouse-test/1.0', 'x-token': 'secret' };

  async function request(session) {
    await session.send('4cmd:request');
    const [packet] = session.poll ? await session.poll() : [await session.next()];
    return JSON.parse(packet.slice(1));
  }

  test('URL, query and headers', async () => {
    const session = await openPolling(server, { query: { token: 'a b&c', empty: '' }, headers });
    const seen = await request(session);
    assert.match(seen.url, /\/sleepy\/\?.*token=/);
    assert.equal(seen.query.token, 'a b&c');
    assert.equal(seen.query.empty, '');
    assert.equal(seen.headers['user-agent'], 'dormouse-test/1.0');
    assert.equal(seen.headers['x-token'], 'secret');
  });

  test('the same by WebSocket', async () => {
    const peer = await openSession(server, { query: { token: 'abc' }, headers });
    const seen = await request(peer);
    assert.equal(seen.query.token, 'abc');
    assert.equal(seen.headers['x-token'], 'secret');
    peer.close();
  });
});

test('disconnecting all ends every session of the endpoint', async () => {
  const endpoint = { path: '/noupgrade/' };
  const [polled, first, second] = [
    await openPolling(server, endpoint),
    await openSession(server, endpoint),
    await openSession(server, endpoint),
  ];
  const stranger = await openSession(server);
  first.send('4cmd:disconnect-all');
  assert.equal((await polled.poll()).at(-1), '1');
  await assertClosed(polled);
  await Promise.all([first.end(), second.end()]);
  for (const { sid } of [polled, first, second]) {
    assert.equal(await server.logs.reason(sid), 'forced close');
  }
  await assertEchoes(stranger);
  stranger.close();
});

test('an admission that refuses names no session either', async () => {
  const query = { EIO: 4, transport: 'polling', admission: 'msg' };
  assertError(await fetchRaw(server, { path, query }), 4, 'not you');
});
