// Headers that the application adds to answers: those that open sessions, and every one.

import { after, describe, test } from 'node:test';
import assert from 'node:assert/strict';
import { openPolling } from '../harness/engine/session.mjs';
import { startServer } from '../harness/server.mjs';
import { differs, workerOnly } from '../harness/target.mjs';
import { fetchRaw } from '../harness/wire/http.mjs';

const server = await startServer();
after(() => server.stop());

const { logs } = server;
const path = '/headed/';
const UPGRADE = {
  connection: 'Upgrade',
  upgrade: 'websocket',
  'sec-websocket-version': '13',
  'sec-websocket-key': 'MDEyMzQ1Njc4OWFiY2RlZg==',
};

const ask = ({ transport = 'polling', sid, method = 'GET', headers, body } = {}) =>
  fetchRaw(server, {
    method,
    path,
    query: { EIO: 4, transport, sid },
    headers: { ...(transport === 'websocket' && UPGRADE), ...headers },
    body,
  });

function isInitial({ headers }, hat) {
  const cookies = headers['set-cookie'].filter((cookie) => !cookie.startsWith('io='));
  // npm's server writes them into one line over WebSocket.
  if (cookies.length === 1) cookies.push(...cookies.pop().split(','));
  assert.deepEqual(cookies, ['a=1; Path=/', 'b=2; Max-Age=0']);
  assert.equal(headers['x-initial'], hat);
  assert.equal(headers['x-every'], 'GET');
}

function isUsual({ headers }, method) {
  assert.deepEqual([headers['set-cookie'], headers['x-initial']], [undefined, undefined]);
  assert.equal(headers['x-every'], method);
}

describe('are added', { concurrency: true }, () => {
  test('to a handshake via polling, and to what follows', async () => {
    const opened = await ask({ headers: { 'x-hat': 'red' } });
    assert.equal(opened.status, 200);
    isInitial(opened, 'red');
    const { sid } = JSON.parse(opened.text.slice(1));
    const sent = await ask({ sid, method: 'POST', body: '4hello' });
    assert.deepEqual([sent.status, sent.text], [200, 'ok']);
    isUsual(sent, 'POST');
    const polled = await ask({ sid });
    assert.deepEqual([polled.status, polled.text], [200, '4hello']);
    isUsual(polled, 'GET');
    const upgraded = await ask({ transport: 'websocket', sid });
    assert.equal(upgraded.status, 101);
    isUsual(upgraded, 'GET');
  });

  test('beside the cookie of the server', workerOnly, async () => {
    for (const transport of ['polling', 'websocket']) {
      const { headers } = await ask({ transport });
      assert.deepEqual(
        headers['set-cookie'].map((cookie) => cookie.split('=')[0]),
        ['io', 'a', 'b'],
      );
    }
  });

  test('to a handshake over WebSocket', async () => {
    const opened = await ask({ transport: 'websocket', headers: { 'x-hat': 'blue' } });
    assert.equal(opened.status, 101);
    isInitial(opened, 'blue');
    assert.ok(opened.headers['sec-websocket-accept']);
  });

  test('to what is refused, and to a preflight', differs('has none there'), async () => {
    for (const options of [{ sid: 'nonsense' }, { transport: 'pigeon' }, { method: 'POST' }]) {
      const refused = await ask(options);
      assert.equal(refused.status, 400);
      isUsual(refused, options.method ?? 'GET');
    }
    const { sid } = JSON.parse((await ask()).text.slice(1));
    const unknown = await ask({ sid: `${sid.slice(0, -4)}AAAA` });
    assert.deepEqual([unknown.status, JSON.parse(unknown.text).code], [400, 1]);
    isUsual(unknown, 'GET');
    const preflight = await ask({ method: 'OPTIONS', headers: { origin: 'https://a.example' } });
    assert.equal(preflight.status, 204);
    isUsual(preflight, 'OPTIONS');
  });
});

describe('are left out', { concurrency: true, ...workerOnly }, () => {
  for (const [asked, name, own] of [
    ['Content-Type=text/evil', 'content-type', 'text/plain; charset=UTF-8'],
    ['content-length=1', 'content-length', undefined],
    ['Cache-Control=public', 'cache-control', 'no-store'],
    ['Access-Control-Allow-Origin=https://evil.example', 'access-control-allow-origin', '*'],
    ['access-control-allow-credentials=true', 'access-control-allow-credentials', undefined],
    ['X-Content-Type-Options=none', 'x-content-type-options', 'nosniff'],
    ['no name=x', 'no name', undefined],
  ]) {
    test(`where they are not the application's: ${asked}`, async () => {
      const origin = 'https://a.example';
      const { status, headers, text } = await ask({ headers: { origin, 'x-add': asked } });
      assert.equal(status, 200);
      assert.match(text, /^0\{/);
      if (name !== 'content-length') assert.equal(headers[name], own);
      const line = await logs.waitFor({ event: 'header left out', header: name });
      assert.deepEqual([line.level, line.path], ['warn', path]);
    });
  }

  test('where they would make a WebSocket unusable', async () => {
    for (const asked of ['Sec-WebSocket-Accept=x', 'sec-websocket-protocol=x', 'upgrade=x']) {
      const opened = await ask({ transport: 'websocket', headers: { 'x-add': asked } });
      assert.equal(opened.status, 101);
      assert.notEqual(opened.headers['sec-websocket-accept'], 'x');
      assert.equal(opened.headers['sec-websocket-protocol'], undefined);
    }
  });

  test('once in the log, however often', async () => {
    for (let count = 0; count < 3; count += 1) await ask({ headers: { 'x-add': 'trailer=x' } });
    await logs.waitFor({ event: 'header left out', header: 'trailer' });
    assert.equal(logs.find({ event: 'header left out', header: 'trailer' }).length, 1);
  });

  test('others are added', async () => {
    const { headers } = await ask({ headers: { 'x-add': 'x-mine=1' } });
    assert.equal(headers['x-mine'], '1');
  });
});

describe('and the function panics', { concurrency: 1, ...workerOnly }, () => {
  const panic = { 'x-add': 'panic' };

  /** Somebody who holds a poll meanwhile, and hears what comes afterwards. */
  async function bystander() {
    const session = await openPolling(server, { path });
    const poll = session.poll();
    return async () => {
      await session.send('4still there');
      assert.deepEqual(await poll, ['4still there']);
    };
  }

  for (const transport of ['polling', 'websocket']) {
    test(`at a handshake, ${transport}: the client is refused`, async () => {
      const isThere = await bystander();
      const refused = await ask({ transport, headers: panic });
      assert.equal(refused.status, 401);
      assert.equal(refused.headers['x-every'], undefined);
      await isThere();
    });
  }

  test('at a poll, at a POST, at an upgrade: that one is refused', async () => {
    const isThere = await bystander();
    for (const options of [{}, { method: 'POST', body: '4x' }, { transport: 'websocket' }]) {
      const { sid } = JSON.parse((await ask()).text.slice(1));
      if (!options.method && !options.transport) await ask({ sid, method: 'POST', body: '4x' });
      const refused = await ask({ ...options, sid, headers: panic });
      assert.deepEqual([refused.status, JSON.parse(refused.text).code], [400, 3]);
    }
    await isThere();
  });

  test('as it is logged', async () => {
    const line = await logs.waitFor({ event: 'handler panicked', handler: 'headers' });
    assert.equal(line.level, 'error');
    assert.match(line.message, /asked to, for headers/);
  });
});
