// A Worker with a `fetch` of its own: `dormouse::handle` answers as the server does, and
// what it returns can be changed before it is sent.

import { after, test } from 'node:test';
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
