// Who can wake an object, or keep it awake, and how often it is called.

import { randomBytes } from 'node:crypto';
import { describe } from 'node:test';
import assert from 'node:assert/strict';
import { assertError } from '../harness/engine/expect.mjs';
import { drop } from '../harness/wire/http.mjs';
import { refusedWebSocket } from '../harness/wire/websocket.mjs';
import { MiB, attacks } from './field.mjs';

const attack = attacks();
/** What the others ask at the end: the only calls where an attack may make none. */
const OTHERS = { woken: 2 };
const POLLING = { EIO: 4, transport: 'polling' };

const forgedSid = () => randomBytes(44).toString('base64url').slice(0, 59);

describe('requests that wake no object', { concurrency: 1 }, () => {
  attack('300 forged sids, by `GET`, `POST` and WebSocket', { may: OTHERS }, async (field) => {
    await field.many(100, async () => {
      const query = { ...POLLING, sid: forgedSid() };
      assertError(await field.request({ query }), 1);
      assertError(await field.request({ query, method: 'POST', body: '4' }), 1);
      const { path } = field;
      const answer = await refusedWebSocket(field.server, { path, query: { ...query, transport: 'websocket' } });
      assert.equal(answer.status, 400);
    });
  });

  const wrong = {
    'no transport': { query: { EIO: 4 } },
    'an unknown transport': { query: { EIO: 4, transport: 'carrier-pigeon' } },
    'an unknown revision': { query: { EIO: 5, transport: 'polling' } },
    'a `POST` without a sid': { query: POLLING, method: 'POST', body: '4' },
    'a method that no transport has': { query: { ...POLLING, sid: forgedSid() }, method: 'DELETE' },
    'a foreign origin': { query: POLLING, headers: { origin: 'http://evil.example' } },
    'a sid of 14 kB': { query: { ...POLLING, sid: 'A'.repeat(14_000) } },
    'two sids': { query: `EIO=4&transport=polling&sid=${forgedSid()}&sid=${forgedSid()}` },
    'a WebSocket of a foreign origin': {
      query: { EIO: 4, transport: 'websocket' },
      headers: { connection: 'upgrade', upgrade: 'websocket', origin: 'http://evil.example' },
    },
  };
  for (const [name, request] of Object.entries(wrong)) {
    attack(`20 requests with ${name}: 400`, { may: OTHERS }, async (field) => {
      // A query that is text has no room for the object's name, which nothing reads here.
      const query = typeof request.query === 'string' ? {} : request.query;
      const url = typeof request.query === 'string' ? `${field.path}?${request.query}` : undefined;
      await field.many(20, async () => {
        assert.equal((await field.request({ ...request, query, url })).status, 400);
      });
    });
  }
});

describe('requests to the HTTP API without its secret', { concurrency: 1 }, () => {
  const signature = `t=${Math.floor(Date.now() / 1000)},b=00,v1=${'0'.repeat(64)}`;
  for (const [name, headers] of [
    ['none', {}],
    ['a wrong one', { authorization: `Bearer ${randomBytes(18).toString('base64')}` }],
    ['a wrong signature', { 'x-dormouse-signature': signature }],
  ]) {
    attack(`100 requests with ${name}: 401`, { may: OTHERS }, async (field) => {
      const url = `${field.path}api/v1/emit`;
      const body = JSON.stringify({ event: 'x', args: ['x'.repeat(10_000)] });
      await field.many(100, async () => {
        assert.equal((await field.request({ url, method: 'POST', headers, body })).status, 401);
      });
    });
  }

  attack('20 bodies of 5 MB with a wrong signature: 401, and not read', { may: { ...OTHERS, wasm: 4 * MiB } }, async (field) => {
    const url = `${field.path}api/v1/emit`;
    const headers = { 'x-dormouse-signature': signature };
    await field.many(20, async () => {
      const body = Buffer.alloc(5_000_000, 'x');
      // The connection may be closed before all of it is sent.
      const answer = await field.request({ url, method: 'POST', headers, body }).catch(({ code }) => ({ code }));
      assert.ok(answer.status === 401 || ['EPIPE', 'ECONNRESET'].includes(answer.code), JSON.stringify(answer));
    });
  });
});

describe('requests that find their object, and nobody in it', { concurrency: 1 }, () => {
  const may = { rowsWritten: 1, statements: 210 };
  attack(
    '200 sids of which the object is real, but not the rest: a look into storage each',
    { may },
    async (field) => {
      const { sid } = await field.polling();
      await field.many(200, async () => {
        const forged = sid.slice(0, 43) + forgedSid().slice(43);
        assert.equal((await field.request({ query: { ...POLLING, sid: forged } })).status, 400);
      });
    },
  );
});

describe('handshakes where no object has room', { concurrency: 1 }, () => {
  // The server has three objects with room for two each, which the meter makes one.
  const full = { path: '/placed/', othersAt: '/io/', may: { woken: 2 + 300 + OTHERS.woken } };
  attack('100: each object is called once for each, and no more than eight', full, async (field) => {
    await field.many(2, () => field.session());
    await field.begin();
    await field.many(100, async () => {
      assert.equal((await field.request({ query: POLLING })).status, 503);
    });
  });
});

describe('clients that stay for no reason', { concurrency: 1 }, () => {
  // The platform has no way to let go of it, and each frame is a call.
  const ignoring = { may: { messages: 1_010, statements: 20, sent: 20 } };
  attack('1,000 frames on a WebSocket that the server has closed: a call each, and nothing else', ignoring, async (field) => {
    const { peer, sid } = await field.client();
    // It never answers the close frame.
    peer.socket._receiver.removeAllListeners('conclude');
    const closed = new Promise((resolve) => peer.socket._receiver.on('conclude', resolve));
    peer.send('49');
    await field.endsWith(sid, 'forced close');
    await closed;
    for (let sent = 0; sent < 1_000; sent += 1) {
      await new Promise((resolve) => peer.socket.send('4', resolve));
    }
    const asked = await field.client();
    await asked.join('/dynamic-1');
    peer.destroy();
  });

  attack(
    '50 clients that are silent, by WebSocket and polling: four alarms, and they are gone',
    { may: { alarms: 5 } },
    async (field) => {
      const sessions = await field.many(50, (index) => (index % 2 === 0 ? field.session() : field.polling()));
      await field.desert();
      for (let seconds = 0; seconds < 90; seconds += 15) await field.pass(15_000);
      for (const { sid } of sessions) await field.endsWith(sid, 'ping timeout');
    },
  );

  attack(
    '100 clients that drop their polls: each is gone, and leaves no row',
    { may: { rowsWritten: 1 } },
    async (field) => {
      await field.many(100, async () => {
        const session = await field.polling();
        drop(await session.hold());
        await field.server.logs.waitFor({ event: 'disconnect', sid: session.sid });
      });
      await field.pass(1_000);
    },
  );
});
