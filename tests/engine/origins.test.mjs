// Origins, on both transports: browsers do not protect WebSockets, we do.

import { after, describe, test } from 'node:test';
import assert from 'node:assert/strict';
import { assertAlive, assertEchoes, assertError } from '../harness/engine/expect.mjs';
import { openPolling, openSession } from '../harness/engine/session.mjs';
import { startServer } from '../harness/server.mjs';
import { differs, workerOnly } from '../harness/target.mjs';
import { fetchRaw } from '../harness/wire/http.mjs';
import { refusedWebSocket } from '../harness/wire/websocket.mjs';

const server = await startServer();
after(() => server.stop());

const handshake = { EIO: 4, transport: 'polling' };
const get = (path, headers, query = handshake) => fetchRaw(server, { path, query, headers });
const preflight = (path, headers = {}) =>
  fetchRaw(server, {
    method: 'OPTIONS',
    path,
    query: handshake,
    headers: { 'access-control-request-method': 'POST', ...headers },
  });
const lenient = differs('leaves origins to others unless told');

describe('same origin (the default)', { concurrency: true }, () => {
  const path = '/sleepy/';
  const foreign = [
    'http://evil.example',
    'null',
    'file://',
    `https://127.0.0.1:${server.port}`,
    'http://127.0.0.1:1',
    'http://127.0.0.1',
    `http://127.0.0.1:${server.port}.evil.example`,
    `http://evil.example#127.0.0.1:${server.port}`,
    `http://evil.example/http://127.0.0.1:${server.port}`,
    `wss://127.0.0.1:${server.port}`,
  ];

  test('its own origin connects, by polling and by WebSocket', async () => {
    const headers = { origin: server.url };
    await assertAlive(await openPolling(server, { headers }));
    const peer = await openSession(server, { headers });
    await assertEchoes(peer);
    peer.close();
  });

  // Swift's Starscream sends the WebSocket's own URL, PHP's client a whole address.
  for (const origin of ['ws://<host>', 'http://<host>/', 'http://<host>/x?y=z#w', 'HTTP://<host>']) {
    test(`"${origin}" is the same origin`, async () => {
      const headers = { origin: origin.replace('<host>', `${server.host}:${server.port}`) };
      assert.equal((await get(path, headers)).status, 200);
      (await openSession(server, { path, headers })).close();
    });
  }

  test('no Origin at all connects', async () => {
    await assertAlive(await openPolling(server));
  });

  for (const origin of foreign) {
    test(`"${origin.replace(server.port, '<port>')}" gets 400 by polling`, lenient, async () => {
      assertError(await get(path, { origin }), 3);
    });

    test(`"${origin.replace(server.port, '<port>')}" gets 400 by WebSocket`, lenient, async () => {
      const query = { EIO: 4 };
      const answer = await refusedWebSocket(server, { path, query, headers: { origin } });
      assert.equal(answer.status, 400);
    });
  }

  test('a foreign origin cannot use a session it knows', lenient, async () => {
    const session = await openPolling(server);
    const headers = { origin: 'http://evil.example' };
    assertError(await session.get({ headers }), 3);
    assertError(await session.post('4hello', { headers }), 3);
    const query = { EIO: 4, sid: session.sid };
    const answer = await refusedWebSocket(server, { path, query, headers });
    assert.equal(answer.status, 400);
    await assertAlive(session);
  });

  test('no CORS headers are sent', async () => {
    const { headers } = await get(path, { origin: server.url });
    assert.equal(headers['access-control-allow-origin'], undefined);
  });

  test('a preflight from elsewhere allows nothing', async () => {
    const { status, headers } = await preflight(path, { origin: 'http://evil.example' });
    assert.ok(status >= 400 && status < 500, `status ${status}`);
    assert.equal(headers['access-control-allow-origin'], undefined);
  });
});

describe('"*"', { concurrency: true }, () => {
  const path = '/engine.io/';

  test('any origin connects, by polling and by WebSocket', async () => {
    const headers = { origin: 'http://anything.example' };
    const answer = await get(path, headers);
    assert.equal(answer.status, 200);
    assert.equal(answer.headers['access-control-allow-origin'], '*');
    (await openSession(server, { path, headers })).close();
  });

  test('credentials are not offered', async () => {
    const { headers } = await get(path, { origin: 'http://anything.example' });
    assert.equal(headers['access-control-allow-credentials'], undefined);
  });

  test('a preflight gets 204 with the CORS headers', async () => {
    const { status, headers, text } = await preflight(path, {
      origin: 'http://anything.example',
      'access-control-request-headers': 'x-token, content-type',
    });
    assert.deepEqual([status, text], [204, '']);
    assert.equal(headers['access-control-allow-origin'], '*');
    const methods = headers['access-control-allow-methods'].split(/, */);
    assert.ok(methods.includes('GET') && methods.includes('POST'));
    assert.match(headers['access-control-allow-headers'], /x-token/i);
  });

  test('CORS headers stand on errors too', async () => {
    const answer = await get(path, { origin: 'http://anything.example' }, { EIO: 4 });
    assertError(answer, 0);
    assert.equal(answer.headers['access-control-allow-origin'], '*');
  });
});

describe('a list of origins', { concurrency: true }, () => {
  const path = '/strict/';
  const good = { origin: 'http://good.example' };

  test('one of them connects and is named in the answer', async () => {
    const { status, headers } = await get(path, good);
    assert.equal(status, 200);
    assert.equal(headers['access-control-allow-origin'], good.origin);
    assert.match(headers.vary, /\borigin\b/i);
  });

  test('credentials are offered where they are on', async () => {
    const { headers } = await get(path, good);
    assert.equal(headers['access-control-allow-credentials'], 'true');
  });

  test('CORS headers stand on every answer of the session', async () => {
    const session = await openPolling(server, { path, headers: good });
    const posted = await session.post('4hello', { headers: good });
    const polled = await session.get({ headers: good });
    for (const { headers } of [posted, polled]) {
      assert.equal(headers['access-control-allow-origin'], good.origin);
      assert.match(headers.vary, /\borigin\b/i);
    }
  });

  test('CORS headers stand on errors too', async () => {
    const answer = await get(path, good, { ...handshake, sid: 'unknown' });
    assertError(answer, 1);
    assert.equal(answer.headers['access-control-allow-origin'], good.origin);
    assert.equal(answer.headers['access-control-allow-credentials'], 'true');
  });

  for (const origin of [
    'http://evil.example',
    'https://good.example',
    'http://good.example:8080',
    'http://good.example.evil.example',
    'http://notgood.example',
    'null',
  ]) {
    test(`${origin} is none of them: 400, and no CORS headers`, lenient, async () => {
      const answer = await get(path, { origin });
      assertError(answer, 3);
      assert.equal(answer.headers['access-control-allow-origin'], undefined);
      assert.match(answer.headers.vary, /\borigin\b/i);
    });
  }

  test('a WebSocket from elsewhere gets 400', lenient, async () => {
    const headers = { origin: 'http://evil.example' };
    const answer = await refusedWebSocket(server, { path, query: { EIO: 4 }, headers });
    assert.equal(answer.status, 400);
  });

  test('a WebSocket from one of them is accepted', async () => {
    (await openSession(server, { path, headers: good })).close();
  });

  test('a preflight from one of them gets 204', async () => {
    const { status, headers } = await preflight(path, good);
    assert.equal(status, 204);
    assert.equal(headers['access-control-allow-origin'], good.origin);
    assert.equal(headers['access-control-allow-credentials'], 'true');
    assert.match(headers.vary, /\borigin\b/i);
  });

  test('a preflight from elsewhere allows nothing', async () => {
    const { headers } = await preflight(path, { origin: 'http://evil.example' });
    assert.notEqual(headers['access-control-allow-origin'], 'http://evil.example');
    assert.notEqual(headers['access-control-allow-origin'], '*');
  });
});

describe('behind a proxy', { concurrency: true, ...workerOnly }, () => {
  const headers = {
    origin: 'https://public.example',
    'x-forwarded-proto': 'https, http',
    'x-forwarded-host': 'public.example',
  };

  test('a proxy that is trusted tells the own origin', async () => {
    assert.equal((await get('/proxied/', headers)).status, 200);
    const { origin, ...others } = headers;
    assertError(await get('/proxied/', { ...others, origin: 'https://evil.example' }), 3);
    assertError(await get('/proxied/', { origin }), 3);
  });

  async function request(path, headers) {
    const session = await openPolling(server, { path, headers });
    await session.send('4cmd:request');
    const [packet] = await session.poll();
    return JSON.parse(packet.slice(1));
  }

  test('a proxy that is trusted tells the address, and nobody else does', async () => {
    const address = async (forwarded, more) =>
      (await request('/proxied/', { 'x-forwarded-for': forwarded, ...more })).address;
    assert.equal(await address('192.0.2.1'), '192.0.2.1');
    assert.equal(await address('10.0.0.1, 192.0.2.1'), '192.0.2.1');
    assert.equal(await address('[2001:db8::1]:4711'), '2001:db8::1');
    // Cloudflare is not in front here.
    const connecting = { 'cf-connecting-ip': '192.0.2.1' };
    assert.equal(await address('10.0.0.1, 192.0.2.1', connecting), '192.0.2.1');
    assert.equal(await address('unknown', connecting), '192.0.2.1');
    assert.equal(await address('unknown'), null);
  });

  test('and whether the client has come over TLS', async () => {
    assert.equal((await request('/proxied/', { 'x-forwarded-proto': 'https' })).secure, true);
    assert.equal((await request('/proxied/', {})).secure, false);
    assert.equal((await request('/sleepy/', { 'x-forwarded-proto': 'https' })).secure, false);
  });

  test('one that is not trusted tells nothing', async () => {
    const connecting = { 'cf-connecting-ip': '192.0.2.9' };
    const { address } = await request('/sleepy/', { ...connecting, 'x-forwarded-for': '192.0.2.1' });
    assert.equal(address, '192.0.2.9');
    assert.equal((await request('/sleepy/', { 'x-forwarded-for': '192.0.2.1' })).address, null);
  });

  test('others are not believed', async () => {
    assertError(await get('/sleepy/', headers), 3);
  });
});

test('an origin that is refused is logged once, with the remedy', workerOnly, async () => {
  const logging = await startServer();
  try {
    const origins = ['http://one.example', 'http://one.example', 'http://two.example'];
    for (const origin of origins) {
      const answer = await fetchRaw(logging, { path: '/sleepy/', query: handshake, headers: { origin } });
      assertError(answer, 3);
    }
    await logging.logs.waitFor({ event: 'origin refused', origin: 'http://two.example' });
    const [entry, ...others] = logging.logs.find({ event: 'origin refused', origin: 'http://one.example' });
    assert.deepEqual(others, []);
    assert.equal(entry.level, 'warn');
    assert.match(entry.message, /`origins`/);
  } finally {
    await logging.stop();
  }
});

describe('cookie', { concurrency: true }, () => {
  test('is off by default', async () => {
    const session = await openPolling(server);
    assert.equal(session.answer.headers['set-cookie'], undefined);
  });

  test('where it is on: io=<sid>; Path=/; HttpOnly; SameSite=Lax', async () => {
    const { answer, sid } = await openPolling(server, { path: '/strict/' });
    const [cookie, ...others] = answer.headers['set-cookie'];
    assert.deepEqual(others, []);
    assert.equal(cookie, `io=${sid}; Path=/; HttpOnly; SameSite=Lax`);
  });

  test('is set on the handshake only', async () => {
    const session = await openPolling(server, { path: '/strict/' });
    const posted = await session.post('4hello');
    const polled = await session.get();
    assert.equal(posted.headers['set-cookie'], undefined);
    assert.equal(polled.headers['set-cookie'], undefined);
  });

  test('never stands for the sid of the query', async () => {
    const session = await openPolling(server, { path: '/strict/' });
    const answer = await get('/strict/', { cookie: `io=${session.sid}` });
    assert.equal(answer.status, 200);
    assert.ok(answer.text.startsWith('0{'));
    assert.ok(!answer.text.includes(session.sid));
  });
});
