// Joining namespaces, protocol 5: CONNECT, its answers, and who is refused.

import { after, describe, test } from 'node:test';
import assert from 'node:assert/strict';
import { startServer } from '../harness/server.mjs';
import { freshNamespace, openClient, openMember } from '../harness/socket/client.mjs';
import { comeBack, lose, ticket } from '../harness/socket/recovery.mjs';
import { eachWay } from '../harness/socket/ways.mjs';
import { differs, sleeping, workerOnly } from '../harness/target.mjs';

const server = await startServer();
after(() => server.stop());

const { logs } = server;
const INVALID = '{"message":"Invalid namespace"}';

const rules = ({ open, member }) => {
  test('`0` joins `/`: the answer has a new id, and nothing but it', async () => {
    const client = await open();
    await client.send('0');
    const answer = await client.next();
    assert.match(answer, /^0\{"sid":"[^"]+"\}$/);
    const { sid } = JSON.parse(answer.slice(1));
    assert.notEqual(sid, client.sid);
    await client.expect('2["auth",{}]');
  });

  test('nobody is in a namespace who has not asked', async () => {
    const client = await open();
    await client.send('0/chat,');
    assert.match(await client.next(), /^0\/chat,\{"sid":"[^"]+"\}$/);
  });

  test('the auth is a JSON object, and arrives as it is', async () => {
    const client = await open();
    const auth = '{"token":"é","nested":{"b":1,"a":[null]},"name":"ada"}';
    await client.send(`0${auth}`);
    await client.next();
    assert.deepEqual((await client.packet()).data, ['auth', JSON.parse(auth)]);
  });

  test('an empty auth is an object too', async () => {
    const client = await open();
    await client.send('0/custom,{}');
    await client.next();
    await client.expect('2/custom,["auth",{}]');
  });

  test('the comma may be missing where nothing follows', async () => {
    const client = await open();
    await client.send('0/custom');
    assert.match(await client.next(), /^0\/custom,\{"sid":"[^"]+"\}$/);
    await client.expect('2/custom,["auth",{}]');
    await client.send('0/random');
    await client.expect(`4/random,${INVALID}`);
  });

  test('each namespace has an id of its own, and so has each client', async () => {
    const client = await open();
    const ids = [client.sid];
    for (const namespace of ['/', '/chat', '/custom']) ids.push((await client.join(namespace)).id);
    ids.push((await member()).id);
    assert.equal(new Set(ids).size, ids.length, ids.join(' '));
  });

  test('a namespace that nobody has defined: "Invalid namespace", and no more', async () => {
    const client = await open();
    for (const name of ['/random', '/chat/', '/CHAT', '/chat/x', '/dynamic-', '/dynamic-a/b', '/é', '//']) {
      await client.send(`0${name},`);
      await client.expect(`4${name},${INVALID}`);
    }
    await client.join('/');
  });

  test('a namespace is found by a pattern', async () => {
    const client = await open();
    for (const name of ['/dynamic-1', '/dynamic-1-é', '/dynamic-dynamic-2']) {
      const { id } = await client.join(name);
      assert.equal((await logs.waitFor({ event: 'connected', socket: id })).namespace, name);
    }
  });

  test('a namespace is found by what the application says of each client', async () => {
    const client = await open();
    await client.join('/tenant/acme', { tenant: 'acme' });
    const stranger = await open();
    await stranger.send('0/tenant/acme,{"tenant":"other"}');
    await stranger.expect(`4/tenant/acme,${INVALID}`);
    await stranger.send('0/tenant/acme,');
    await stranger.expect(`4/tenant/acme,${INVALID}`);
    await stranger.send('0/tenant/other,{"tenant":"other"}');
    assert.match(await stranger.next(), /^0\/tenant\/other,\{"sid":"/);
  });

  test('refused by a middleware without data: there is no `data`', async () => {
    const client = await open();
    await client.send('0/refuse,{"token":"bad"}');
    await client.expect('4/refuse,{"message":"not authorized"}');
  });

  test('refused by a middleware with data: it stands beside the message', async () => {
    const client = await open();
    await client.send('0/refuse,{"data":1}');
    await client.expect('4/refuse,{"message":"not authorized","data":{"content":"Please retry later"}}');
  });

  test('refused on purpose by another error: its words', workerOnly, async () => {
    const client = await open();
    await client.send('0/chat,{"fault":"not today"}');
    await client.expect('4/chat,{"message":"not today"}');
  });

  for (const [fault, message] of [
    ['data', 'user session: more than 1048576 bytes of json'],
    ['rooms', 'more rooms than allowed (max_rooms)'],
  ]) {
    test(`refused by an error that was not meant for it: ${fault}`, workerOnly, async () => {
      const client = await open();
      await client.send(`0/chat,{"fault":"${fault}"}`);
      await client.expect('4/chat,{"message":"internal error"}');
      const fields = { event: 'handler failed', level: 'error', handler: 'connect', sid: client.sid, message };
      await logs.waitFor(fields);
      await client.join('/chat');
    });
  }

  test('who was refused may ask again, and is in then', async () => {
    const client = await open();
    await client.send('0/refuse,');
    await client.expect('4/refuse,{"message":"not authorized"}');
    const player = await client.join('/refuse', { token: 'good' });
    assert.deepEqual(await player.ask('who'), [player.id, '/refuse']);
  });

  test('who was refused in one namespace is served in another', async () => {
    const chat = await member({ namespace: '/chat' });
    await chat.client.send('0/refuse,');
    await chat.client.expect('4/refuse,{"message":"not authorized"}');
    assert.deepEqual(await chat.ask('who'), [chat.id, '/chat']);
  });

  test('who left may join again, as somebody else', async () => {
    const { client, id } = await member({ namespace: '/chat' });
    await client.send('1/chat,');
    await logs.waitFor({ event: 'disconnected', socket: id });
    const again = await client.join('/chat');
    assert.notEqual(again.id, id);
    assert.deepEqual(await again.ask('who'), [again.id, '/chat']);
  });

  test('rooms of the auth are joined, and the log has the connection', async () => {
    const player = await member({ namespace: '/chat', auth: { rooms: ['b', 'a'], name: 'ada' } });
    assert.deepEqual(await player.ask('rooms'), [['a', 'b']]);
    assert.deepEqual(await player.ask('get-data'), [{ name: 'ada' }]);
    const line = await logs.waitFor({ event: 'connected', socket: player.id });
    assert.deepEqual([line.namespace, line.recovered], ['/chat', false]);
  });

  test('while it is told of the connection, the application meets the socket among the others', async () => {
    const namespace = freshNamespace();
    const first = await member({ namespace, auth: { rooms: ['a'] } });
    const second = await member({ namespace, auth: { rooms: ['a'], announce: 'a', name: 'bob' } });
    const there = [[first.id, ['a'], { name: null }], [second.id, ['a'], { name: 'bob' }]];
    const sorted = there.map((one) => JSON.stringify(one)).toSorted().map((one) => JSON.parse(one));
    await first.expect('arrived', sorted);
    await second.expect('arrived', sorted);
    assert.deepEqual(await first.ask('cast', { to: ['a'] }, 'x'), ['ok']);
    await second.expect('x');
    assert.deepEqual(await first.ask('direct', second.id, 'y'), ['ok']);
    await second.expect('y');
  });

  test('the handshake of a socket: query, URL, headers, address, time', async () => {
    const before = Date.now();
    const player = await member({ query: { color: 'é' }, headers: { 'x-hat': 'red', origin: server.url } });
    const [handshake] = await player.ask('handshake');
    const { secure, issued, time, url, headers, xdomain } = handshake;
    assert.equal(handshake.query.color, 'é');
    assert.equal(handshake.query.EIO, '4');
    assert.match(url, /\/io\/\?.*color=/);
    assert.deepEqual([secure, xdomain], [false, true]);
    assert.ok('address' in handshake);
    assert.equal(headers['x-hat'], 'red');
    assert.ok(before <= issued && issued <= Date.now(), `${before} ${issued}`);
    assert.ok(Math.abs(Date.parse(time) - issued) < 2_000, `${time} ${issued}`);
    assert.match(time, /^\w{3} \w{3} \d\d \d{4} \d\d:\d\d:\d\d GMT/);
  });
};

eachWay(server, rules);

describe('the auth of a socket', { concurrency: true }, () => {
  const auth = { name: 'ada', nested: [1, { é: null }] };

  for (const way of [
    { transport: 'websocket' },
    { transport: 'polling' },
    { transport: 'websocket', asleep: true },
    { transport: 'websocket', revision: 3 },
  ]) {
    test(`later on: ${JSON.stringify(way)}`, way.asleep ? sleeping : {}, async () => {
      const client = await openClient(server, way);
      const [one, two] = [freshNamespace(), freshNamespace()];
      const own = way.revision === 3 ? { name: 'ada', token: 'é' } : auth;
      const member = await client.join(one, own);
      const other = await client.join(two);
      assert.deepEqual(await member.ask('auth'), [own]);
      assert.deepEqual(await other.ask('auth'), [{}]);
      assert.deepEqual((await member.ask('handshake'))[0].auth, own);
      assert.deepEqual(await member.ask('auths'), [[[member.id, own]]]);
    });
  }

  test('of one who comes back is the new one', workerOnly, async () => {
    const path = '/recovery/';
    const namespace = freshNamespace();
    const old = await openMember(server, { path, namespace, auth: { name: 'ada' } });
    const back = await ticket(old);
    await lose(server, old);
    const again = { ...back, name: 'bob' };
    const { sid, member } = await comeBack(() => openClient(server, { path }), namespace, again);
    assert.equal(sid, old.id);
    await server.sleep(member.client.sid);
    assert.deepEqual(await member.ask('auth'), [again]);
  });

  test('is kept up to 16 KiB of one client', differs('keeps all'), async () => {
    const client = await openClient(server, {});
    const of = (bytes) => ({ x: 'x'.repeat(bytes - '{"x":""}'.length) });
    const kept = await client.join(freshNamespace(), of(16_384));
    const dropped = await client.join(freshNamespace(), of(10));
    await server.sleep(client.sid);
    assert.deepEqual(await kept.ask('auth'), [of(16_384)]);
    assert.deepEqual(await dropped.ask('auth'), [null]);
    assert.equal('auth' in (await dropped.ask('handshake'))[0], false);
    const line = await logs.waitFor({ event: 'auth dropped' });
    assert.deepEqual([line.level, line.namespace], ['warn', dropped.namespace]);
    const large = await openMember(server, { namespace: freshNamespace(), auth: of(16_385) });
    assert.deepEqual(await large.ask('auth'), [null]);
    assert.equal(logs.find({ event: 'auth dropped' }).length, 1);
  });
});

const open = (options) => openClient(server, options);

describe('a request with many headers', { concurrency: true }, () => {
  const long = { cookie: `c=${'c'.repeat(5_000)}`, 'x-long': 'x'.repeat(2_000) };

  for (const transport of ['websocket', 'polling']) {
    test(`${transport}: who decides on the connection sees them all`, async () => {
      const client = await open({ transport, headers: long });
      await client.send('0/headers,');
      await client.next();
      const [, headers] = (await client.packet()).data;
      assert.equal(headers.cookie, long.cookie);
      assert.equal(headers['x-long'], long['x-long']);
    });

    test(`${transport}: the cookie is kept rather than others`, differs('keeps all'), async () => {
      const client = await open({ transport, headers: long });
      const player = await client.join('/chat');
      const [{ headers }] = await player.ask('handshake');
      assert.equal(headers.cookie, long.cookie);
      assert.equal(headers['x-long'], undefined);
      const dropped = await logs.waitFor({ event: 'headers dropped' });
      assert.equal(dropped.level, 'warn');
      assert.match(dropped.message, /`keep_headers`/);
      assert.equal(logs.find({ event: 'headers dropped' }).length, 1);
    });
  }
});

describe('a request with a long URL', { concurrency: true }, () => {
  const query = { long: 'x'.repeat(8_000), token: 't'.repeat(3_000), color: 'red' };

  for (const transport of ['websocket', 'polling']) {
    test(`${transport}: who decides on the connection sees it all`, async () => {
      const client = await open({ transport, query });
      await client.send('0/headers,');
      await client.next();
      const [, headers, seen] = (await client.packet()).data;
      assert.equal(typeof headers, 'object');
      assert.deepEqual({ ...seen, ...query }, seen);
    });

    test(`${transport}: the longest parameters are not kept`, differs('keeps all'), async () => {
      const client = await open({ transport, query });
      const player = await client.join('/chat');
      const [{ query: kept }] = await player.ask('handshake');
      assert.equal(kept.long, undefined);
      assert.deepEqual([kept.token, kept.color, kept.EIO], [query.token, 'red', '4']);
      const dropped = await logs.waitFor({ event: 'query dropped' });
      assert.deepEqual([dropped.level, dropped.parameters], ['warn', 'long']);
      assert.equal(logs.find({ event: 'query dropped' }).length, 1);
    });
  }
});

describe('a namespace that takes its time', { concurrency: true }, () => {
  for (const transport of ['websocket', 'polling']) {
    test(`${transport}: others are served meanwhile`, async () => {
      const client = await open({ transport });
      await client.send('0/slow,', '0/chat,');
      assert.match(await client.next(), /^0\/chat,/);
      assert.match(await client.next(), /^0\/slow,/);
    });

    for (const [name, message] of [['an event', '2/slow,["message"]'], ['a DISCONNECT', '1/slow,']]) {
      test(`${transport}: ${name} for it before the answer closes the session`, async () => {
        const player = await openMember(server, { transport });
        await player.client.send('0/slow,');
        await player.client.try(message);
        assert.deepEqual(await player.client.ended(), []);
        await logs.waitFor({ event: 'disconnected', socket: player.id });
      });
    }

    test(`${transport}: a session that ends meanwhile joins nothing`, async () => {
      const namespace = freshNamespace();
      const witness = await openMember(server, { namespace });
      const client = await open({ transport });
      await client.send('0/slow,{"rooms":["here"]}');
      await client.close();
      // Who asked later has joined: so the other would have by now.
      const slow = await openMember(server, { namespace: '/slow' });
      assert.deepEqual(await slow.ask('fetch', { from: 'server', to: ['here'] }), [[]]);
      await witness.nothing();
    });
  }
});

describe('the connect timeout, here of one second', { concurrency: true }, () => {
  const path = '/socket.io/';
  const BEYOND_IT = 1_200;

  for (const transport of ['websocket', 'polling']) {
    test(`${transport}: nothing joined within it: the session is closed`, async () => {
      const client = await open({ path, transport });
      await assert.rejects(client.next());
      assert.deepEqual(await client.ended(), []);
    });

    test(`${transport}: refused everywhere: the session is closed`, async () => {
      const client = await open({ path, transport });
      await client.send('0/random,', '0/refuse,');
      await client.expect(`4/random,${INVALID}`, '4/refuse,{"message":"not authorized"}');
      await assert.rejects(client.next());
    });

    test(`${transport}: joined within it: the session stays`, async () => {
      const client = await open({ path, transport });
      const player = await client.join('/chat');
      await player.emit('later', BEYOND_IT, 'here');
      await player.expect('later', 'here');
    });

    test(`${transport}: joined and left: the session stays open`, async () => {
      const player = await openMember(server, { path, transport, namespace: '/chat' });
      const { client } = player;
      const root = await client.join('/');
      await root.emit('later', BEYOND_IT, 'here');
      await client.send('1/chat,');
      await root.expect('later', 'here');
      await client.send('1');
      await client.join('/chat');
    });
  }
});
