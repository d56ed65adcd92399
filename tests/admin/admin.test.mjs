// The admin namespace, as the stock admin UI uses it.

import { after, describe, test } from 'node:test';
import assert from 'node:assert/strict';
import { join, newest, packed } from '../harness/clients/socket.mjs';
import { startServer } from '../harness/server.mjs';
import { inObjects, loggingHub, objectOf } from '../harness/socket/spread.mjs';
import { workerOnly } from '../harness/target.mjs';
import { PASSWORD, nextOf, watch } from './client.mjs';

const server = workerOnly.skip ? undefined : await startServer({ variables: { ADMIN_PASSWORD: PASSWORD } });
after(() => server?.stop());

const enter = (options) => join(server, newest, { path: '/admin-all/', transports: ['websocket'], ...options });

/** All rows of the object that a client is in, as text, and bytes as Latin-1. */
async function rowsBeside(player) {
  const sql = async (statement) => (await player.ask('sql', statement))[0];
  const text = [];
  for (const { name } of await sql("SELECT name FROM sqlite_master WHERE type = 'table'")) {
    if (/^(_cf|sqlite)/.test(name)) continue;
    const columns = (await sql(`PRAGMA table_info("${name}")`)).map((column) => `quote("${column.name}")`);
    const rows = await sql(`SELECT ${columns.join(" || ' ' || ")} AS row FROM "${name}"`);
    text.push(...rows.map(({ row }) => row.replace(/X'([^']*)'/g, (_, hex) => Buffer.from(hex, 'hex').toString('latin1'))));
  }
  return text.join('\n');
}

const COMMANDS = ['EMIT', 'JOIN', 'LEAVE', 'DISCONNECT', 'MJOIN', 'MLEAVE', 'MDISCONNECT'];

describe('who may watch', workerOnly, () => {
  const refused = {
    'without credentials': {},
    'with a wrong password': { username: 'admin', password: `${PASSWORD}!` },
    'with the wrong name': { username: 'root', password: PASSWORD },
    'with a password alone': { password: PASSWORD },
    'with something else': { username: ['admin'], password: { $ne: '' } },
    'with no session value': { sessionId: null },
    'with a session value that was made up': { sessionId: `9999999999.${'A'.repeat(43)}` },
    'with a session value of the reference server': { sessionId: '0123456789abcdef' },
  };
  for (const [name, auth] of Object.entries(refused)) {
    test(`nobody ${name}`, async () => {
      const { refusal } = await watch(server, { auth }).catch((error) => error);
      assert.equal(refusal.message, 'invalid credentials');
      assert.equal(refusal.data, undefined);
    });
  }

  test('whoever has the password, and comes back with a session value', async () => {
    const first = await watch(server);
    const [sessionId] = await first.next('session');
    first.close();
    const second = await watch(server, { auth: { sessionId } });
    assert.deepEqual(await second.next('config'), [
      { supportedFeatures: [...COMMANDS, 'AGGREGATED_EVENTS', 'ALL_EVENTS'] },
    ]);
    assert.deepEqual(second.pending('session'), []);
    second.close();

    const [until, signature] = sessionId.split('.');
    for (const changed of [`${Number(until) + 1}.${signature}`, `${until}.${signature.slice(0, -1)}`]) {
      const { refusal } = await watch(server, { auth: { sessionId: changed } }).catch((error) => error);
      assert.equal(refusal.message, 'invalid credentials');
    }
  });

  test('whoever has the old password', async () => {
    (await watch(server, { path: '/admin-recovery/' })).close();
  });

  test('nobody where no password is set, or a short one: the log says so', async (t) => {
    for (const variables of [{}, { ADMIN_PASSWORD: 'short' }]) {
      const open = await startServer({ variables });
      t.after(() => open.stop());
      const auth = { username: 'admin', password: variables.ADMIN_PASSWORD ?? '' };
      const { refusal } = await watch(open, { auth }).catch((error) => error);
      assert.equal(refusal.message, 'invalid credentials');
      const { message, option } = await open.logs.waitFor({ event: 'misconfigured', level: 'error' });
      assert.equal(option, 'admin');
      assert.match(message, /ADMIN_PASSWORD is not set.*wrangler secret put ADMIN_PASSWORD/);
    }
  });
});

describe('in production', workerOnly, () => {
  const path = '/admin/';

  test('numbers are told, and nothing of single sockets', async () => {
    const admin = await watch(server, { path });
    const [{ supportedFeatures }] = await admin.next('config');
    assert.deepEqual(supportedFeatures, [...COMMANDS, 'AGGREGATED_EVENTS']);
    const [stats] = await admin.next('server_stats');
    assert.deepEqual(Object.keys(stats).sort(), [
      'aggregatedEvents',
      'clientsCount',
      'hostname',
      'namespaces',
      'pid',
      'pollingClientsCount',
      'serverId',
      'uptime',
    ]);
    assert.ok(stats.uptime >= 0);

    const polling = await enter({ path, transports: ['polling'] });
    await polling.ask('message-with-ack', 'x'.repeat(1_000));
    const sum = (events, type) => events.filter((it) => it.type === type).reduce((all, it) => all + it.count, 0);
    const seen = [];
    await nextOf(admin, 'server_stats', (told) => {
      seen.push(...told.aggregatedEvents);
      return told.clientsCount === 2 && sum(seen, 'bytesIn') > 1_000;
    }).then(([told]) => {
      assert.equal(told.serverId, stats.serverId);
      assert.equal(told.pollingClientsCount, 1);
      assert.deepEqual(told.namespaces, [
        { name: '/', socketsCount: 1 },
        { name: '/admin', socketsCount: 1 },
      ]);
    });
    assert.ok(sum(seen, 'rawConnection') >= 1);
    assert.ok(sum(seen, 'packetsIn') >= 2 && sum(seen, 'packetsOut') >= 2);
    assert.ok(sum(seen, 'bytesOut') > 1_000);
    for (const { timestamp, type, count } of seen) {
      assert.equal(timestamp % 1_000, 0, type);
      assert.ok(Number.isInteger(count));
    }
    polling.close();
    await nextOf(admin, 'server_stats', ({ aggregatedEvents }) => sum(aggregatedEvents, 'rawDisconnection') > 0);
    for (const event of ['all_sockets', 'socket_connected', 'socket_disconnected', 'event_received']) {
      assert.deepEqual(admin.pending(event), [], event);
    }
    admin.close();
  });

  test('an object that nobody watches any more sleeps', async () => {
    const player = await enter({ path });
    const admin = await watch(server, { path });
    await admin.next('server_stats');
    const { id } = admin;
    admin.close();
    await server.logs.waitFor({ event: 'leave', socket: id });
    // It would wait for a timer.
    assert.equal(await server.sleep(player.sid), true);
    assert.deepEqual(await player.ask('message-with-ack', 1), [1]);
    player.close();
  });
});

describe('in development', workerOnly, () => {
  test('sockets are listed, with what is known of them', async () => {
    const extraHeaders = { cookie: 'secret=1', 'x-hat': 'red' };
    const player = await enter({ query: { color: 'blue' }, extraHeaders, auth: { name: 'ada', rooms: ['a'] } });
    const admin = await watch(server);
    const [sockets] = await admin.next('all_sockets');
    const found = sockets.find(({ id }) => id === player.id);
    assert.deepEqual(Object.keys(found).sort(), ['clientId', 'data', 'handshake', 'id', 'nsp', 'rooms', 'transport']);
    assert.equal(found.nsp, '/');
    assert.equal(found.transport, 'websocket');
    assert.deepEqual(found.rooms.sort(), ['a', player.id].sort());
    assert.deepEqual(found.data, { name: 'ada' });
    const { headers, query, issued, url, time, secure, xdomain, auth } = found.handshake;
    assert.equal(headers['x-hat'], 'red');
    assert.equal(headers.cookie, undefined);
    assert.equal(query.color, 'blue');
    assert.equal(typeof issued, 'number');
    assert.ok(url.includes('/admin-all/') && time.includes('GMT'));
    assert.deepEqual([secure, xdomain, auth], [false, false, undefined]);
    assert.ok(!JSON.stringify(sockets).includes(PASSWORD));
    assert.ok(!JSON.stringify(sockets).includes(player.sid));
    assert.ok(sockets.some(({ nsp, id }) => nsp === '/admin' && id === admin.id));
    assert.equal(new Set(sockets.map(({ clientId }) => clientId)).size, sockets.length);
    player.close();
    admin.close();
  });

  test('what sockets do is told as it happens', async () => {
    const admin = await watch(server);
    await admin.next('all_sockets');
    const player = await enter({ transports: ['polling', 'websocket'], auth: { name: 'ada' } });
    const { id } = player;
    const about = (event) => nextOf(admin, event, (nsp, ...args) => nsp === '/' && args.includes(id));
    const isTime = (time) => assert.equal(new Date(time).toISOString(), time);

    const [socket, time] = await nextOf(admin, 'socket_connected', (it) => it.id === id);
    assert.equal(socket.transport, 'polling');
    isTime(time);
    const updated = (isWanted) => nextOf(admin, 'socket_updated', (it) => it.id === id && isWanted(it));
    assert.deepEqual(await updated((it) => it.transport), [{ id, nsp: '/', transport: 'websocket' }]);

    await player.ask('set-data', { mood: 'good' });
    assert.deepEqual(await updated((it) => it.data?.mood), [{ id, nsp: '/', data: { mood: 'good' } }]);
    await player.ask('join', 'kitchen');
    const joined = await nextOf(admin, 'room_joined', (nsp, room) => room === 'kitchen');
    assert.deepEqual(joined.slice(0, 3), ['/', 'kitchen', id]);
    await player.ask('leave', 'kitchen');
    assert.deepEqual((await about('room_left')).slice(0, 3), ['/', 'kitchen', id]);

    player.emit('message', 'hello', Buffer.from([1, 2]), { a: [1] });
    const received = await nextOf(admin, 'event_received', (nsp, who, [name]) => name === 'message');
    assert.deepEqual(received.slice(0, 2), ['/', id]);
    const placeholder = { _placeholder: true, num: 0 };
    assert.deepEqual(received[2], ['message', 'hello', placeholder, { a: [1] }]);
    const sent = await nextOf(admin, 'event_sent', (nsp, who, [name]) => name === 'message-back');
    assert.deepEqual(sent.slice(0, 3), ['/', id, ['message-back', 'hello', placeholder, { a: [1] }]]);
    isTime(sent[3]);

    player.emit('message', 'x'.repeat(20_000));
    const long = await nextOf(admin, 'event_received', (nsp, who, [name, text]) => name === 'message' && text !== 'hello');
    assert.match(long[2][1], /^200\d\d bytes$/);

    player.close();
    const gone = await about('socket_disconnected');
    assert.deepEqual(gone.slice(0, 3), ['/', id, 'client namespace disconnect']);
    assert.deepEqual((await about('room_left')).slice(0, 3), ['/', id, id]);
    assert.deepEqual(admin.pending('event_sent').filter(([nsp]) => nsp === '/admin'), []);
    admin.close();
  });

  test('more than can be told is listed again', async () => {
    const admin = await watch(server);
    await admin.next('all_sockets');
    const player = await enter();
    await player.ask('burst', 5_000);
    const [sockets] = await admin.next('all_sockets');
    assert.ok(sockets.some(({ id }) => id === player.id));
    player.close();
    admin.close();
  });

  test('a list has at most 1,000 sockets', async () => {
    const player = await enter({ path: '/admin-recovery/' });
    const namespaces = Array.from({ length: 99 }, (_, number) => `/dynamic-${number}`);
    const clients = await Promise.all(
      Array.from({ length: 11 }, async () => {
        const client = await enter({ path: '/admin-recovery/' });
        const joined = namespaces.map((name) => client.socket.io.socket(name).connect());
        await Promise.all(joined.map((socket) => new Promise((resolve) => socket.once('connect', resolve))));
        return client;
      }),
    );
    const admin = await watch(server, { path: '/admin-recovery/' });
    const [sockets] = await admin.next('all_sockets');
    assert.ok(sockets.length <= 1_000 && sockets.length > 500, `${sockets.length} sockets`);
    assert.ok(JSON.stringify(sockets).length <= 1 << 20);
    for (const client of [player, admin, ...clients]) client.close();
  });

  test('a panic ends nothing', async () => {
    const admin = await watch(server);
    await admin.next('server_stats');
    const player = await enter();
    player.emit('panic');
    await server.logs.waitFor({ event: 'handler panicked' });
    const other = await enter();
    await nextOf(admin, 'socket_connected', (it) => it.id === other.id);
    for (const client of [admin, player, other]) client.close();
  });

  test('nothing of it is stored for clients that come back', async () => {
    const path = '/admin-recovery/';
    const player = await enter({ path });
    const admin = await watch(server, { path });
    await admin.next('all_sockets');
    await admin.next('server_stats');
    const stored = await rowsBeside(player);
    for (const secret of [PASSWORD, 'server_stats', 'all_sockets']) assert.ok(!stored.includes(secret), secret);
    assert.deepEqual(await player.ask('message-with-ack', 1), [1]);
    admin.close();
    player.close();
  });
});

describe('commands', workerOnly, () => {
  const three = async () => {
    const players = await Promise.all(['a', 'b', 'c'].map((name) => enter({ auth: { rooms: [name, 'all'] } })));
    return players.map((player) => player.listen('news'));
  };

  test('emit: to a socket, to a room, to several, to all', async () => {
    const admin = await watch(server);
    const [ada, bob, cid] = await three();
    const bytes = Buffer.from([1, 2, 3]);
    admin.emit('emit', '/', ada.id, 'news', 1, bytes);
    assert.deepEqual(await ada.next('news'), [1, bytes]);
    admin.emit('emit', '/', 'b', 'news', 2);
    assert.deepEqual(await bob.next('news'), [2]);
    admin.emit('emit', '/', ['b', 'c'], 'news', 3);
    for (const player of [bob, cid]) assert.deepEqual(await player.next('news'), [3]);
    admin.emit('emit', '/', null, 'news', 4);
    for (const player of [ada, bob, cid]) assert.deepEqual(await player.next('news'), [4]);
    for (const player of [ada, bob, cid, admin]) player.close();
  });

  test('join and leave: a socket, those in a room, all', async () => {
    const admin = await watch(server);
    const [ada, bob, cid] = await three();
    const rooms = async (player) => (await player.ask('rooms'))[0].filter((room) => room !== player.id).sort();
    await admin.ask('join', '/', 'x', ada.id);
    await admin.ask('join', '/', ['x', 'y'], 'b');
    await admin.ask('join', '/', 'z');
    assert.deepEqual(await rooms(ada), ['a', 'all', 'x', 'z']);
    assert.deepEqual(await rooms(bob), ['all', 'b', 'x', 'y', 'z']);
    assert.deepEqual(await rooms(cid), ['all', 'c', 'z']);
    await admin.ask('leave', '/', 'z', cid.id);
    await admin.ask('leave', '/', 'all');
    await admin.ask('leave', '/', 'z', 'x');
    assert.deepEqual(await rooms(ada), ['a', 'x']);
    assert.deepEqual(await rooms(bob), ['b', 'x', 'y']);
    assert.deepEqual(await rooms(cid), ['c']);
    for (const player of [ada, bob, cid, admin]) player.close();
  });

  test('_disconnect: from the namespace, and altogether', async () => {
    const admin = await watch(server);
    const [ada, bob, cid] = await three();
    await admin.ask('_disconnect', '/', false, ada.id);
    assert.equal(await ada.end(), 'io server disconnect');
    await admin.ask('_disconnect', '/', true, 'b');
    assert.match(await bob.end(), /io server disconnect|transport close/);
    await admin.ask('_disconnect', '/', false);
    assert.equal(await cid.end(), 'io server disconnect');
    for (const player of [ada, admin]) player.close();
  });

  test('what cannot be done is said', async () => {
    const admin = await watch(server);
    for (const [what, ...args] of [
      ['argument 1', 'join', 7],
      ['argument 2', 'leave', '/'],
      ['argument 3', 'emit', '/', null],
      ['argument 3', '_disconnect', '/', true, 7],
      ['`connect` is a reserved event name', 'emit', '/', null, 'connect'],
    ]) {
      const [{ error }] = await admin.ask(...args);
      assert.ok(error.startsWith(what), error);
    }
    admin.close();
  });

  test('none for those who may only read, here over msgpack', async () => {
    const path = '/admin-read-only/';
    const player = await join(server, packed, { path, transports: ['websocket'], auth: { name: 'ada' } });
    const admin = await watch(server, { path, namespace: '/watch', library: packed });
    assert.deepEqual(await admin.next('config'), [{ supportedFeatures: ['AGGREGATED_EVENTS', 'ALL_EVENTS'] }]);
    const [sockets] = await admin.next('all_sockets');
    assert.deepEqual(sockets.find(({ id }) => id === player.id).data, { name: 'ada' });
    for (const [name, ...args] of [
      ['emit', '/', player.id, 'news', 1],
      ['join', '/', 'x', player.id],
      ['leave', '/', player.id, player.id],
      ['_disconnect', '/', true, player.id],
    ]) {
      assert.deepEqual(await admin.ask(name, ...args), [{ error: 'this is for reading alone' }]);
    }
    assert.deepEqual((await player.ask('rooms'))[0], []);
    for (const client of [player, admin]) client.close();
  });
});

describe('in many objects', workerOnly, () => {
  for (const path of ['/admin-spread/', '/admin-spread-recovery/']) {
    test(`everything on ${path} is listed, counted, told of and done, wherever it is`, () => everything(path));
  }

  async function everything(path) {
    const [[here, second], [there, third]] = await inObjects(server, newest, {
      count: 2,
      each: 2,
      path,
      transports: ['websocket'],
    });
    const admin = await watch(server, { path });
    const [sockets] = await admin.next('all_sockets');
    const ids = sockets.map(({ id }) => id);
    for (const player of [here, there]) assert.ok(ids.includes(player.id));

    const wanted = new Set([here, there, admin].map(objectOf));
    await nextOf(admin, 'server_stats', ({ serverId, clientsCount }) => {
      // Others had a client a moment ago.
      if (wanted.delete(serverId)) assert.ok(clientsCount >= 1);
      return wanted.size === 0;
    });

    for (const player of [here, there]) {
      await player.ask('join', 'kitchen');
      const joined = await nextOf(admin, 'room_joined', (nsp, room, id) => id === player.id && room === 'kitchen');
      assert.equal(joined[0], '/');
    }
    await admin.ask('emit', '/', 'kitchen', 'news', path);
    const sent = new Set([here, there].map(({ id }) => id));
    await nextOf(admin, 'event_sent', (nsp, id, [name, said]) => {
      if (name === 'news' && said === path) sent.delete(id);
      return sent.size === 0;
    });
    await admin.ask('join', '/', 'cellar', 'kitchen');
    for (const player of [here, there]) assert.ok((await player.ask('rooms'))[0].includes('cellar'));
    for (const player of [here, there]) {
      const { id } = player;
      await admin.ask('_disconnect', '/', false, id);
      assert.equal(await player.end(), 'io server disconnect');
      await nextOf(admin, 'socket_disconnected', (nsp, gone) => gone === id);
    }
    const { id } = admin;
    admin.close();
    await server.logs.waitFor({ event: 'leave', socket: id });
    // Nothing keeps any of them awake.
    for (const player of [second, third]) {
      await server.sleep(player.sid);
      assert.deepEqual(await player.ask('message-with-ack', 1), [1]);
      player.close();
    }
  }

  test('nothing of it is logged or stored for clients that come back', async () => {
    const path = '/admin-spread-recovery/';
    const options = { count: 8, each: 2, path, transports: ['websocket'] };
    const everybody = await inObjects(server, newest, options);
    const admin = await watch(server, { path });
    const [player, other] = everybody.find(([one]) => objectOf(one) === objectOf(admin));
    const [watching, lost] = [admin.id, other.id];
    admin.emit('emit', '/', null, 'news', 1);
    await nextOf(admin, 'server_stats', ({ serverId }) => serverId !== objectOf(admin));
    for (const client of [admin, other]) {
      const { id } = client;
      client.socket.io.engine.close();
      await server.logs.waitFor({ event: 'leave', socket: id });
    }
    const rows = await rowsBeside(player);
    assert.ok(rows.includes(lost));
    for (const one of ["'/admin'", watching, PASSWORD, 'server_stats']) assert.ok(!rows.includes(one), one);
    const counts = await server.counts();
    const hub = async (namespace) => counts[await server.idOf(loggingHub(path, namespace))];
    assert.ok(await hub('/'));
    assert.equal(await hub('/admin'), undefined);
    for (const client of everybody.flat()) client.close();
  });
});
