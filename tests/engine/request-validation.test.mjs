// Request validation, in the order of the specification: the first rule that a
// request breaks names its error.

import { after, describe, test } from 'node:test';
import assert from 'node:assert/strict';
import { assertAlive, assertEchoes, assertError } from '../harness/engine/expect.mjs';
import { openPolling } from '../harness/engine/session.mjs';
import { startServer } from '../harness/server.mjs';
import { differs } from '../harness/target.mjs';
import { fetchRaw, sendBytes } from '../harness/wire/http.mjs';
import { refusedWebSocket } from '../harness/wire/websocket.mjs';

const server = await startServer();
after(() => server.stop());

const path = '/sleepy/';
const get = (query, options) => fetchRaw(server, { path, query, ...options });
const UNKNOWN = 'x'.repeat(20);

describe('transport', { concurrency: true }, () => {
  test('missing: code 0', async () => {
    assertError(await get({ EIO: 4 }), 0);
  });

  test('unknown: code 0', async () => {
    assertError(await get({ EIO: 4, transport: 'carrier-pigeon' }), 0);
  });

  test('not a transport but an object key: code 0', async () => {
    for (const transport of ['__proto__', 'constructor', '', 'Polling']) {
      assertError(await get({ EIO: 4, transport }), 0);
    }
  });

  test('not enabled: code 0', async () => {
    const websocket = { EIO: 4, transport: 'websocket' };
    const polling = { EIO: 4, transport: 'polling' };
    assertError(await fetchRaw(server, { path: '/polling/', query: websocket }), 0);
    assertError(await fetchRaw(server, { path: '/websocket/', query: polling }), 0);
  });

  test('comes before the sid', async () => {
    assertError(await get({ EIO: 4, transport: 'nope', sid: UNKNOWN }), 0);
  });

  test('comes before the method', async () => {
    assertError(await get({ EIO: 4, transport: 'nope' }, { method: 'POST' }), 0);
  });

  test('comes before the revision', async () => {
    assertError(await get({ EIO: 9, transport: 'nope' }), 0);
  });
});

describe('origin', { concurrency: true }, () => {
  test('with an invalid character: status 400, from the runtime or from us', async () => {
    const answer = await sendBytes(
      server,
      `GET ${path}?EIO=4&transport=polling HTTP/1.1\r\nHost: ${server.host}:${server.port}\r\n` +
        'Origin: http://a\u0001b\r\nConnection: close\r\n\r\n',
    );
    assert.match(answer, /^HTTP\/1\.1 400 /);
  });
});

describe('sid', { concurrency: true }, () => {
  test('unknown: code 1', async () => {
    assertError(await get({ EIO: 4, transport: 'polling', sid: UNKNOWN }), 1);
  });

  test('unknown, in a POST: code 1', async () => {
    const query = { EIO: 4, transport: 'polling', sid: UNKNOWN };
    assertError(await get(query, { method: 'POST', body: '4hello' }), 1);
  });

  test('of no form at all: code 1', async () => {
    for (const sid of ['.', 'é', '%', ' ', '__proto__', 'a'.repeat(2_000), '../../x']) {
      assertError(await get({ EIO: 4, transport: 'polling', sid }), 1);
    }
  });

  test('of another session with one character changed: code 1', async () => {
    const session = await openPolling(server);
    const last = session.sid.at(-1) === 'A' ? 'B' : 'A';
    const sid = session.sid.slice(0, -1) + last;
    assertError(await get({ EIO: 4, transport: 'polling', sid }), 1);
    await assertAlive(session);
  });

  test('unknown comes before the revision', async () => {
    assertError(await get({ EIO: 9, transport: 'polling', sid: UNKNOWN }), 1);
  });

  test('empty is no sid: a handshake', async () => {
    const answer = await get({ EIO: 4, transport: 'polling', sid: '' });
    assert.equal(answer.status, 200);
    assert.equal(answer.text[0], '0');
  });

  test('whose transport is not the one of the query, without an upgrade: code 3', async () => {
    const session = await openPolling(server);
    assertError(await session.get({ query: { transport: 'websocket' } }), 3);
    await assertAlive(session);
  });

  test('upgraded, in a poll: code 3', async () => {
    const session = await openPolling(server);
    const peer = await session.upgraded();
    assertError(await session.get(), 3);
    assertError(await session.post('4hello'), 3);
    await assertEchoes(peer, '4still here');
    peer.close();
  });

  test('of the other revision: code 3, and the session stays', async () => {
    const session = await openPolling(server, { revision: 3 });
    assertError(await session.get({ query: { EIO: 4 } }), 3);
    await assertAlive(session);
  });

  test('unknown on WebSocket: HTTP 400, no 101', async () => {
    const answer = await refusedWebSocket(server, { path, query: { EIO: 4, sid: UNKNOWN } });
    assert.equal(answer.status, 400);
  });

  test(
    'of another endpoint: code 1',
    differs('keeps its sessions apart by construction, and so is no test'),
    async () => {
      const session = await openPolling(server, { path: '/noupgrade/' });
      assertError(await get({ EIO: 4, transport: 'polling', sid: session.sid }), 1);
      await assertAlive(session);
    },
  );
});

describe('handshake method', { concurrency: true }, () => {
  for (const method of ['POST', 'PUT', 'DELETE', 'PATCH']) {
    test(`${method} without a sid: code 2`, async () => {
      const body = method === 'DELETE' ? undefined : '4hello';
      assertError(await get({ EIO: 4, transport: 'polling' }, { method, body }), 2);
    });
  }

  test('HEAD without a sid: status 400', async () => {
    const answer = await get({ EIO: 4, transport: 'polling' }, { method: 'HEAD' });
    assert.equal(answer.status, 400);
  });

  test('comes before the revision', async () => {
    assertError(await get({ EIO: 9, transport: 'polling' }, { method: 'POST' }), 2);
  });

  test('comes before the admission check', async () => {
    const query = { EIO: 4, transport: 'polling', admission: 'no' };
    assertError(await get(query, { method: 'POST' }), 2);
  });

  test('transport=websocket without an Upgrade header: code 3', async () => {
    assertError(await get({ EIO: 4, transport: 'websocket' }), 3);
  });
});

describe('admission', { concurrency: true }, () => {
  test('refused: 403 with code 4 and "Forbidden"', async () => {
    assertError(await get({ EIO: 4, transport: 'polling', admission: 'no' }), 4);
  });

  test('refused with a message: 403 with code 4 and that message', async () => {
    assertError(await get({ EIO: 4, transport: 'polling', admission: 'msg' }), 4, 'not you');
  });

  test(
    'refused on WebSocket: HTTP 403, no 101',
    differs('answers every refused WebSocket with 400'),
    async () => {
      const query = { EIO: 4, admission: 'no' };
      assertError(await refusedWebSocket(server, { path, query }), 4);
    },
  );

  test('comes before the revision', differs('takes every EIO but "4" for 3'), async () => {
    assertError(await get({ EIO: 9, transport: 'polling', admission: 'no' }), 4);
  });

  test('is asked once, at the handshake', async () => {
    const session = await openPolling(server);
    await session.send('4hello');
    assert.deepEqual(await session.poll({ query: { admission: 'no' } }), ['4hello']);
  });
});

describe('revision', { concurrency: true }, () => {
  const lenient = differs('takes every EIO but "4" for 3');

  test('missing: code 5', lenient, async () => {
    assertError(await get({ transport: 'polling' }), 5);
  });

  test('missing, but with b64: revision 3, as some clients have it', async () => {
    for (const b64 of ['1', '']) {
      const query = { EIO: undefined, b64 };
      const session = await openPolling(server, { revision: 3, query });
      await session.post('6:4hello', { query });
      assert.equal((await session.get({ query })).text, '6:4hello');
    }
  });

  for (const EIO of ['abc', '', '1', '5', '04', '4.0', '33', '-3']) {
    test(`"${EIO}": code 5`, lenient, async () => {
      assertError(await get({ EIO, transport: 'polling' }), 5);
    });
  }

  test('unknown on WebSocket: HTTP 400, no 101', lenient, async () => {
    assertError(await refusedWebSocket(server, { path, query: { EIO: 'abc' } }), 5);
    assertError(await refusedWebSocket(server, { path }), 5);
  });

  test('2 is framed as 3', async () => {
    const session = await openPolling(server, { revision: 3, query: { EIO: 2 } });
    assert.match(session.answer.text, /^\d+:0\{/);
    await session.echo('hello');
  });

  test('3 where revision 3 is off: code 5', async () => {
    const query = { EIO: 3, transport: 'polling' };
    assertError(await fetchRaw(server, { path: '/strict/', query }), 5);
  });

  test(
    '3 on WebSocket where revision 3 is off: HTTP 400, no 101',
    differs('accepts the WebSocket first and then writes the error into it'),
    async () => {
      assertError(await refusedWebSocket(server, { path: '/strict/', query: { EIO: 3 } }), 5);
    },
  );
});

test('the query is read percent-decoded, with + as a space, in any order', async () => {
  const answer = await get('x=%zz&t=a+b&transport=p%6Flling&EIO=%34');
  assert.equal(answer.status, 200);
  assert.equal(answer.text[0], '0');
});
