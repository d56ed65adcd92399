// A Worker with a `fetch` of its own: `dormouse::handle` answers as the server does, and
// what it returns can be changed before it is sent.

import { after, describe, test } from 'node:test';
import assert from 'node:assert/strict';
import { gunzipSync } from 'node:zlib';
import { startServer } from '../harness/server.mjs';
import { workerOnly } from '../harness/target.mjs';
import { fetchRaw } from '../harness/wire/http.mjs';
import { openWebSocket } from '../harness/wire/websocket.mjs';

const server = await startServer();
after(() => server.stop());

const path = '/handled/sleepy/';

function isHandled({ headers }) {
  assert.equal(headers['x-handled'], 'yes');
  assert.deepEqual(headers['set-cookie'], ['a=1']);
}

test('via polling', workerOnly, async () => {
  const query = { EIO: 4, transport: 'polling' };
  const opened = await fetchRaw(server, { path, query });
  assert.equal(opened.status, 200);
  isHandled(opened);
  const { sid } = JSON.parse(opened.text.slice(1));
  const sent = await fetchRaw(server, { method: 'POST', path, query: { ...query, sid }, body: '4é' });
  assert.deepEqual([sent.status, sent.text], [200, 'ok']);
  isHandled(sent);
  const polled = await fetchRaw(server, { path, query: { ...query, sid } });
  assert.deepEqual([polled.status, polled.text], [200, '4é']);
  isHandled(polled);
  // Compressed once, and not twice.
  const long = 'é'.repeat(3_000);
  await fetchRaw(server, { method: 'POST', path, query: { ...query, sid }, body: `4${long}` });
  const headers = { 'accept-encoding': 'gzip' };
  const packed = await fetchRaw(server, { path, query: { ...query, sid }, headers });
  assert.equal(packed.headers['content-encoding'], 'gzip');
  assert.equal(String(gunzipSync(packed.body)), `4${long}`);
  isHandled(packed);
});

test('over WebSocket', workerOnly, async () => {
  const session = await openWebSocket(server, { path, query: { EIO: 4, transport: 'websocket' } });
  assert.match(await session.next(), /^0\{/);
  session.send('4hello');
  assert.equal(await session.next(), '4hello');
  session.close();
});

test('refused', workerOnly, async () => {
  const answer = await fetchRaw(server, { path, query: { EIO: 4, transport: 'carrier pigeon' } });
  assert.equal(answer.status, 400);
  assert.equal(JSON.parse(answer.text).code, 0);
  isHandled(answer);
});

// A copy of a request shares its body, which the server does not read where it refuses the
// request, or finds it too large.
describe('of a request that the application has copied', workerOnly, () => {
  const query = { EIO: 4, transport: 'polling' };
  const open = async () => JSON.parse((await fetchRaw(server, { path, query })).text.slice(1)).sid;
  const post = async (copy, sid, body, headers) =>
    fetchRaw(server, { method: 'POST', path, query: { ...query, sid, copy }, body, headers });

  for (const copy of ['kept', 'read', 'read-first']) {
    for (const [how, headers] of Object.entries({ 'of a known length': {}, chunked: { 'transfer-encoding': 'chunked' } })) {
      test(`and ${copy}, the body ${how}`, async () => {
        const sid = await open();
        const fits = await post(copy, sid, `4${'x'.repeat(500_000)}`, headers);
        assert.deepEqual([fits.status, fits.text], [200, 'ok']);
        if (copy !== 'kept') assert.equal(fits.headers['x-body'], '500001');
        const tooLarge = await post(copy, sid, `4${'x'.repeat(3_000_000)}`, headers);
        assert.equal(tooLarge.status, 413);
        if (copy !== 'kept') assert.equal(tooLarge.headers['x-body'], '3000001');
      });

      test(`and ${copy}, refused, the body ${how}`, async () => {
        const sid = await open();
        const body = `4${'x'.repeat(3_000_000)}`;
        for (const unknown of ['nonsense', `${sid.slice(0, -4)}AAAA`]) {
          const refused = await post(copy, unknown, body, headers);
          assert.deepEqual([refused.status, JSON.parse(refused.text).code], [400, 1]);
          if (copy !== 'kept') assert.equal(refused.headers['x-body'], '3000001');
        }
      });
    }
  }
});
