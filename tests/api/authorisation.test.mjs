// Who may use the HTTP API, and what the others get.

import { after, describe, test } from 'node:test';
import assert from 'node:assert/strict';
import { apiOf, bearer, oldSecret, secret, signature, startWithApi } from '../harness/api.mjs';
import { join, newest } from '../harness/clients/socket.mjs';
import { startServer } from '../harness/server.mjs';
import { freshNamespace } from '../harness/socket/client.mjs';

const server = await startWithApi();
after(() => server.stop());

const count = JSON.stringify({ count: true });
const json = { 'content-type': 'application/json' };

/** Asks with these headers, and no others. */
const ask = (headers, { path = '/io/', name = 'sockets', method, body = count, on = server } = {}) =>
  apiOf(on, { path, headers }).send(name, { method, headers: json, body });

async function isRefused(answering, message) {
  const { status, headers, answer } = await answering;
  assert.equal(status, 401);
  assert.equal(answer.error.code, 'unauthorized');
  if (message) assert.match(answer.error.message, message);
  assert.equal(headers.get('www-authenticate'), 'Bearer');
  assert.equal(headers.get('content-type'), 'application/json');
}

async function isDone(answering) {
  const { status, answer } = await answering;
  assert.equal(status, 200, JSON.stringify(answer));
}

describe('a secret', () => {
  test('is either of two', async () => {
    await isDone(ask(bearer()));
    await isDone(ask(bearer(oldSecret)));
    await isDone(ask({ authorization: `bearer  ${secret} ` }));
  });

  for (const [name, headers] of [
    ['is missing', {}],
    ['is empty', bearer('')],
    ['is another', bearer('one secreT')],
    ['is too short', bearer('one secre')],
    ['is repeated', bearer(secret + secret)],
    ['is followed by more', bearer(`${secret} ${secret}`)],
    ['comes by another scheme', { authorization: `Basic ${Buffer.from(secret).toString('base64')}` }],
    ['comes without a scheme', { authorization: secret }],
    ['is long', bearer('x'.repeat(10_000))],
  ]) {
    test(`refused if it ${name}`, () => isRefused(ask(headers)));
  }

  test('comes before everything else', async () => {
    await isRefused(ask({}, { name: 'nothing' }));
    await isRefused(ask({}, { body: 'not json' }));
    await isRefused(ask({}, { body: 'x'.repeat(2_000_000) }));
    await isRefused(apiOf(server, { headers: {} }).send('emit', { method: 'GET' }));
    await isRefused(apiOf(server, { headers: {} }).send('../v2/emit'));
    const preflight = await fetch(apiOf(server).url('emit'), {
      method: 'OPTIONS',
      headers: { origin: 'http://a.org', 'access-control-request-method': 'POST' },
    });
    assert.equal(preflight.status, 401);
  });

  test('opens nothing to pages, whatever the origins are', async () => {
    // Any page may connect to this server.
    const { status, headers } = await ask({ ...bearer(), origin: 'http://a.org' }, { path: '/socket.io/' });
    assert.equal(status, 200);
    assert.deepEqual([...headers.keys()].filter((name) => name.startsWith('access-control')), []);
  });

  test('reaches no object if it is wrong', async () => {
    const namespace = freshNamespace();
    const player = await join(server, newest, { path: '/io/', namespace, transports: ['websocket'] });
    assert.equal(await server.sleep(player.sid), true);
    const body = JSON.stringify({ namespace, event: 'x' });
    await isRefused(ask({}, { name: 'emit', body }));
    // It is asleep still.
    assert.equal(await server.sleep(player.sid), false);
    player.close();
  });
});

test('without secrets nobody is let in, and the log says so', async () => {
  const bare = await startServer();
  after(() => bare.stop());
  await isRefused(ask(bearer(''), { on: bare }));
  await isRefused(ask(bearer('undefined'), { on: bare }));
  const line = await bare.logs.waitFor({ event: 'misconfigured' });
  assert.match(line.message, /option `api`.*wrangler secret put API_SECRET/);
});

describe('a signature', () => {
  const path = '/in-order/';
  const target = `${path}api/v1/sockets`;
  const now = () => Math.floor(Date.now() / 1000);
  const signed = (more, { key = secret, body = count } = {}) => signature(key, { target, body, ...more });
  let seconds = 0;
  /** A time that no other request has. */
  const fresh = () => now() - (seconds += 1);

  test('is by either secret, and the secret alone will not do', async () => {
    await isDone(ask(signed({ time: fresh() }), { path }));
    await isDone(ask(signed({ time: fresh() }, { key: oldSecret }), { path }));
    await isRefused(ask(bearer(), { path }), /signature is missing/);
    await isRefused(ask(signed({ time: fresh() }, { key: 'another' }), { path }), /not right/);
  });

  test('will do where it is not demanded', async () => {
    const target = '/io/api/v1/sockets';
    await isDone(ask(signature(secret, { target, body: count })));
  });

  test('is for one body, method, path and time', async () => {
    const time = fresh();
    const good = signed({ time });
    await isRefused(ask(good, { path, body: '{"count":false}' }), /body is not the one/);
    await isRefused(ask(good, { path, name: 'rooms' }), /not right/);
    await isRefused(ask(good, { path, name: 'sockets?key=a' }), /not right/);
    await isRefused(ask(good, { path: '/io/' }), /not right/);
    await isRefused(ask(good, { path, method: 'PUT' }), /not right/);
    for (const other of [
      good['x-dormouse-signature'].replace(`t=${time}`, `t=${time + 1}`),
      good['x-dormouse-signature'].replace(/b=../, 'b=00'),
    ]) {
      await isRefused(ask({ 'x-dormouse-signature': other }, { path }), /not right/);
    }
    await isDone(ask(good, { path }));
  });

  test('is over when the clocks are more than five minutes apart', async () => {
    await isRefused(ask(signed({ time: now() - 310 }), { path }), /too far/);
    await isRefused(ask(signed({ time: now() + 310 }), { path }), /too far/);
    await isDone(ask(signed({ time: now() - 290 }), { path }));
    await isDone(ask(signed({ time: now() + 290 }), { path }));
  });

  for (const header of ['', 't=1', 'b=,v1=00', 't=x,b=,v1=00', 't=1,b=,v1=zz', `t=1,b=,v1=${'0'.repeat(63)}é`, '=,=', `t=-1,b=,v1=${'0'.repeat(64)}`, `t=1,v1=${'0'.repeat(64)}`]) {
    test(`that cannot be read: "${header}"`, async () => {
      const latin = Buffer.from(header).toString('latin1');
      await isRefused(ask({ 'x-dormouse-signature': latin }, { path }));
    });
  }

  test('lets a request in once, also when its object has slept', async () => {
    const namespace = freshNamespace();
    const player = await join(server, newest, { path, namespace, transports: ['websocket'] });
    player.listen('x');
    const body = JSON.stringify({ namespace, event: 'x' });
    const target = `${path}api/v1/emit`;
    const emit = (headers) => ask(headers, { path, name: 'emit', body });
    const headers = signature(secret, { target, body });
    await isDone(emit(headers));
    for (const sleeps of [false, true]) {
      if (sleeps) await server.sleep(player.sid);
      const { status, answer } = await emit(headers);
      assert.deepEqual([status, answer.error.code], [409, 'repeated']);
    }
    const upper = headers['x-dormouse-signature'].replace(/v1=.*/, (it) => `v1=${it.slice(3).toUpperCase()}`);
    assert.equal((await emit({ 'x-dormouse-signature': upper })).status, 409);
    await isDone(emit(signature(secret, { target, body, time: fresh() })));
    await player.next('x');
    await player.next('x');
    assert.deepEqual(player.pending('x'), []);
    player.close();
  });

  test('lets a batch in once, as a whole', async () => {
    const namespace = freshNamespace();
    const body = JSON.stringify({ operations: [{ emit: { namespace, event: 'x' } }, { sockets: { namespace } }] });
    const headers = signature(secret, { target: `${path}api/v1/batch`, body });
    await isDone(ask(headers, { path, name: 'batch', body }));
    assert.equal((await ask(headers, { path, name: 'batch', body })).status, 409);
  });

  test('over a body that is too large', async () => {
    const body = 'x'.repeat(1_000_001);
    const { status } = await ask(signed({ time: fresh() }, { body }), { path, body });
    assert.equal(status, 413);
  });
});
