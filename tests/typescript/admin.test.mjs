// The option `admin`: what the stock admin UI sends and hears, and its pages.

import assert from 'node:assert/strict';
import { createRequire } from 'node:module';
import path from 'node:path';
import { after, before, test } from 'node:test';
import { PASSWORD, nextOf, watch as enter } from '../admin/client.mjs';
import { join, newest } from '../harness/clients/socket.mjs';
import { startApplication } from '../harness/typescript.mjs';

const ROOT_PASSWORD = 'another long enough password';
const assets = path.join(path.dirname(createRequire(import.meta.url).resolve('@socket.io/admin-ui/package.json')), 'ui');

let server;
before(async () => {
  const variables = { ADMIN_PASSWORD: PASSWORD, ROOT_PASSWORD };
  server = await startApplication('tests/typescript/application/admin.ts', { assets, variables });
});
after(() => server?.stop());

const watch = (options) => enter(server, { path: '/socket.io/', ...options });
const refusal = (options) => watch(options).then(() => assert.fail('let in'), ({ refusal }) => refusal.message);

test('whoever has the password is let in, and comes back with a session value', async () => {
  const first = await watch();
  const [sessionId] = await first.next('session');
  const [{ supportedFeatures }] = await first.next('config');
  assert.ok(supportedFeatures.includes('MDISCONNECT') && supportedFeatures.includes('ALL_EVENTS'));
  first.close();
  const second = await watch({ auth: { sessionId } });
  const [stats] = await second.next('server_stats');
  assert.ok(stats.clientsCount >= 1, JSON.stringify(stats));
  second.close();
});

test('nobody else is', async () => {
  for (const auth of [{}, { username: 'admin', password: `${PASSWORD}!` }, { username: 'admin', password: ROOT_PASSWORD }]) {
    assert.equal(await refusal({ auth }), 'invalid credentials');
  }
});

test('in development, sockets and their events are seen, and a socket can be disconnected', async () => {
  const admin = await watch();
  await admin.next('all_sockets');
  const player = await join(server, newest, { transports: ['websocket'] });
  const { id } = player;
  const [connected] = await nextOf(admin, 'socket_connected', (socket) => socket.id === id);
  assert.equal(connected.nsp, '/');
  await nextOf(admin, 'room_joined', (nsp, room, who) => room === 'everybody' && who === id);
  assert.deepEqual(await player.ask('say', 'hello'), ['hello']);
  const [, , event] = await nextOf(admin, 'event_received', (nsp, who) => who === id);
  assert.deepEqual(event, ['say', 'hello']);
  assert.deepEqual(await admin.ask('_disconnect', '/', false, id), []);
  assert.equal(await player.end(), 'io server disconnect');
  await nextOf(admin, 'socket_disconnected', (nsp, who) => who === id);
  for (const client of [admin, player]) client.close();
});

test('every other option', async () => {
  const only = { path: '/read-only/', namespace: '/watch' };
  const auth = { username: 'root', password: ROOT_PASSWORD };
  const admin = await watch({ ...only, auth });
  assert.deepEqual(await admin.next('config'), [{ supportedFeatures: ['AGGREGATED_EVENTS'] }]);
  const [session] = await admin.next('session');
  const left = Number(session.split('.')[0]) - Date.now() / 1_000;
  assert.ok(left > 0 && left <= 60, `${left} s`);
  assert.deepEqual(await admin.ask('_disconnect', '/', true), [{ error: 'this is for reading alone' }]);
  admin.close();
  assert.equal(await refusal(only), 'invalid credentials');
  assert.equal(await refusal({ path: '/read-only/', auth }), 'Invalid namespace');
});

test('`true` is all defaults', async () => {
  const admin = await watch({ path: '/plain/' });
  const [{ supportedFeatures }] = await admin.next('config');
  assert.ok(supportedFeatures.includes('EMIT') && !supportedFeatures.includes('ALL_EVENTS'));
  await admin.next('server_stats');
  assert.deepEqual(admin.pending('all_sockets'), []);
  admin.close();
});

test('the pages are served by `io.fetch`', async () => {
  const page = await fetch(`${server.entryUrl}/admin/`);
  assert.deepEqual([page.status, page.headers.get('content-type')], [200, 'text/html; charset=utf-8']);
  const html = await page.text();
  assert.match(html, /Socket\.IO Admin UI/);
  const [, script] = /src="?(js\/app[^"> ]*)/.exec(html);
  const loaded = await fetch(`${server.entryUrl}/admin/${script}`);
  assert.match(loaded.headers.get('content-type'), /javascript/);
  await loaded.text();
  const other = await fetch(`${server.entryUrl}/other`);
  assert.equal(other.status, 404);
  await other.text();
});
