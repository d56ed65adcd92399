// Rate limits of Engine.IO: what a client may send at once, what becomes of the rest,
// and that nobody else notices. In the applications under test almost nothing is added
// while a test runs.

import { after, describe, test } from 'node:test';
import assert from 'node:assert/strict';
import { bystanders } from '../harness/engine/bystanders.mjs';
import { openPolling, openSession } from '../harness/engine/session.mjs';
import { encode } from '../harness/engine/payload.mjs';
import { startServer } from '../harness/server.mjs';
import { workerOnly } from '../harness/target.mjs';
import { fetchRaw } from '../harness/wire/http.mjs';

const server = await startServer();
after(() => server.stop());

const { logs } = server;
const revisions = [3, 4];
const texts = (count, from = 0) => Array.from({ length: count }, (_, index) => `4${from + index}`);

/** What both transports do alike: a client of either. */
const transports = {
  async websocket(options) {
    const peer = await openSession(server, options);
    return {
      sid: peer.sid,
      send: (...packets) => packets.forEach((packet) => peer.send(packet)),
      next: () => peer.next(),
      ended: async () => assert.equal((await peer.end()).code, 1008),
    };
  },
  async polling(options) {
    const session = await openPolling(server, options);
    const packets = [];
    return {
      sid: session.sid,
      send: (...some) => session.send(...some),
      async next() {
        if (packets.length === 0) packets.push(...(await session.poll()));
        return packets.shift();
      },
      // The news, or the answer to those who come too late for it.
      async ended() {
        const { status, text } = await session.get();
        assert.ok(status === 200 ? /^(1:)?1$/.test(text) : status === 400, text);
      },
    };
  },
};

for (const [transport, open] of Object.entries(transports)) {
  for (const revision of revisions) {
    const on = (path) => open({ path, revision });

    describe(`${transport}, revision ${revision}`, { concurrency: true, ...workerOnly }, () => {
      for (const count of [4, 5]) {
        test(`${count} packets of 5 are taken`, async () => {
          const client = await on('/rate/');
          await client.send(...texts(count));
          for (const text of texts(count)) assert.equal(await client.next(), text);
        });
      }

      for (const path of ['/rate/', '/rate-close/']) {
        test(`one more ends the session, at ${path}`, async () => {
          const client = await on(path);
          await client.send(...texts(6));
          await client.ended();
          assert.equal(await logs.reason(client.sid), 'overrun');
          const [line] = logs.find({ event: 'overrun', sid: client.sid });
          assert.deepEqual([line.level, line.limit, line.scope], ['warn', 'packets', 'client']);
        });
      }

      test('2,000 bytes are taken', async () => {
        const client = await on('/rate/');
        for (const bytes of [900, 900, 200]) await client.send(`4${'x'.repeat(bytes)}`);
        for (const bytes of [900, 900, 200]) assert.equal((await client.next()).length, 1 + bytes);
      });

      test('some more end the session', async () => {
        const client = await on('/rate/');
        // While the test runs, one is added in each second.
        for (const bytes of [900, 900, 250]) await client.send(`4${'x'.repeat(bytes)}`);
        await client.ended();
        const line = await logs.waitFor({ event: 'overrun', sid: client.sid });
        assert.deepEqual([line.limit, line.scope], ['bytes', 'client']);
      });

      test('packets without a message count', async () => {
        const client = await on('/rate/');
        await client.send('6', '6', '6', '6', '6');
        await client.send('6');
        await client.ended();
        assert.equal(await logs.reason(client.sid), 'overrun');
      });

      test('what is dropped is lost, and the session goes on', async () => {
        const client = await on('/rate-drop/');
        await client.send(...texts(8));
        for (const text of texts(5)) assert.equal(await client.next(), text);
        // One more each second.
        const more = setInterval(() => client.send('4more'), 100);
        assert.equal(await client.next(), '4more');
        clearInterval(more);
        const lines = logs.find({ event: 'rate limited', sid: client.sid });
        assert.deepEqual(lines.map(({ level, limit, decision }) => [level, limit, decision]), [
          ['warn', 'packets', 'drop'],
        ]);
      });

      test('a heartbeat is answered nevertheless', async () => {
        const client = await on('/rate-drop/');
        await client.send(...texts(8));
        for (const text of texts(5)) assert.equal(await client.next(), text);
        if (revision === 3) {
          await client.send('2');
          assert.equal(await client.next(), '3');
        }
      });

      test('what is delayed comes in order', async () => {
        const client = await on('/rate-delay/');
        await client.send(...texts(20));
        await client.send(...texts(20, 20));
        for (const text of texts(40)) assert.equal(await client.next(), text);
        assert.equal(logs.find({ event: 'rate limited', sid: client.sid }).length, 1);
      });

      test('1,000 messages wait', async () => {
        const client = await on('/rate-stuck/');
        await client.send(...texts(1_005));
        await client.send('6');
        for (const text of texts(5)) assert.equal(await client.next(), text);
        // Those that are added while the test runs.
        assert.equal(await client.next(), '45');
        assert.deepEqual(logs.find({ event: 'disconnect', sid: client.sid }), []);
      });

      test('more end the session', async () => {
        const client = await on('/rate-stuck/');
        // With the few that are added meanwhile.
        await client.send(...texts(1_050));
        assert.equal(await logs.reason(client.sid), 'overrun');
      });

      test('what waits goes with its session', async () => {
        const client = await on('/rate-stuck/');
        await client.send(...texts(8));
        await client.send('1');
        assert.equal(await logs.reason(client.sid), 'transport close');
      });
    });
  }
}

describe('one payload', { concurrency: true, ...workerOnly }, () => {
  for (const [what, packet] of [['messages', '4'], ['noops', '6']]) {
    for (const revision of revisions) {
      test(`of 200,000 ${what} is refused unread, revision ${revision}`, async () => {
        const beside = await bystanders(server, { path: '/sleepy/' });
        const session = await openPolling(server, { path: '/sleepy/', revision });
        const body = encode(revision, Array.from({ length: 200_000 }, () => packet));
        const { status, text } = await session.post(body);
        assert.deepEqual([status, JSON.parse(text).code], [400, 3]);
        assert.equal(await logs.reason(session.sid), 'overrun');
        await beside.check();
        await beside.leave();
      });
    }
  }

  test('of 20,000 noops is taken', async () => {
    const session = await openPolling(server, { path: '/sleepy/' });
    await session.send(...Array.from({ length: 20_000 }, () => '6'));
    assert.deepEqual(logs.find({ event: 'disconnect', sid: session.sid }), []);
  });
});

describe('an address', { ...workerOnly }, () => {
  const path = '/rate-address/';
  let address = 0;
  const fresh = () => `192.0.2.${(address += 1)}`;
  const from = (ip) => ({ path, headers: { 'cf-connecting-ip': ip } });

  test('is limited for all sessions together, and no other is', async () => {
    const ip = fresh();
    const one = await openSession(server, from(ip));
    const two = await openSession(server, from(ip));
    const other = await openSession(server, from(fresh()));
    for (const text of texts(3)) one.send(text);
    for (const text of texts(3)) assert.equal(await one.next(), text);
    for (const text of texts(2)) two.send(text);
    for (const text of texts(2)) assert.equal(await two.next(), text);
    two.send('4one too many');
    assert.equal((await two.end()).code, 1008);
    const line = await logs.waitFor({ event: 'overrun', sid: two.sid });
    assert.deepEqual([line.limit, line.scope], ['packets', 'address']);
    for (const text of texts(5)) other.send(text);
    for (const text of texts(5)) assert.equal(await other.next(), text);
  });

  test('is limited through sleep, as far as it is not asleep itself', async () => {
    const ip = fresh();
    const peer = await openSession(server, from(ip));
    await server.sleep(peer.sid);
    for (const text of texts(6)) peer.send(text);
    assert.equal((await peer.end()).code, 1008);
  });

  test('of IPv6 is its first half', async () => {
    const one = await openSession(server, from('2001:db8:1:2::1'));
    const two = await openSession(server, from('2001:db8:1:2:3:4:5:6'));
    const other = await openSession(server, from('2001:db8:1:3::1'));
    for (const text of texts(5)) one.send(text);
    for (const text of texts(5)) assert.equal(await one.next(), text);
    two.send('4one too many');
    assert.equal((await two.end()).code, 1008);
    other.send('4fine');
    assert.equal(await other.next(), '4fine');
  });

  test('may begin so many sessions, and is told when to come back', async () => {
    const ip = fresh();
    const handshake = (transport) =>
      fetchRaw(server, {
        path,
        query: { EIO: 4, transport },
        headers: {
          'cf-connecting-ip': ip,
          ...(transport === 'websocket' && {
            connection: 'Upgrade',
            upgrade: 'websocket',
            'sec-websocket-version': '13',
            'sec-websocket-key': 'MDEyMzQ1Njc4OWFiY2RlZg==',
          }),
        },
      });
    for (let count = 0; count < 3; count += 1) assert.equal((await handshake('polling')).status, 200);
    for (const transport of ['polling', 'websocket', 'polling', 'polling']) {
      const { status, headers, text } = await handshake(transport);
      assert.deepEqual([status, headers['retry-after']], [429, '1'], transport);
      if (transport === 'polling') assert.deepEqual(JSON.parse(text), { message: 'Too many requests' });
    }
    assert.equal((await openPolling(server, from(fresh()))).path, path);
    // One line, however often.
    assert.equal(logs.find({ event: 'rate limited', address: ip }).length, 1);
  });

  test('that the platform does not tell is not limited', async () => {
    const peers = await Promise.all([0, 1, 2, 3].map(() => openSession(server, { path })));
    for (const peer of peers) texts(5).forEach((text) => peer.send(text));
    for (const peer of peers) for (const text of texts(5)) assert.equal(await peer.next(), text);
  });
});
