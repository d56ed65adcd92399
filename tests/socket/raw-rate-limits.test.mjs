// Rate limits of Socket.IO, and what the application lets become of the rest: whichever
// it is, client and server agree on which message is the next packet, and on which
// namespaces the client is in.

import { after, describe, test } from 'node:test';
import assert from 'node:assert/strict';
import { openPolling } from '../harness/engine/session.mjs';
import { openClient } from '../harness/socket/client.mjs';
import { socketBystanders } from '../harness/socket/bystanders.mjs';
import { startServer } from '../harness/server.mjs';
import { workerOnly } from '../harness/target.mjs';

const server = await startServer();
after(() => server.stop());

const { logs } = server;
const path = '/rate-io/';
const BYTES = Buffer.of(1, 2, 3);
const event = (text) => `2["echo","${text}"]`;
const WITH_ATTACHMENTS =
  '52-7["count",{"_placeholder":true,"num":0},{"_placeholder":true,"num":1}]';

/** A client in `/`, greeted, with so many packets left of five. */
async function enter({ revision, transport, overrun, left }) {
  const client = await openClient(server, { path, revision, transport, query: { overrun } });
  if (revision === 4) await client.send('0');
  const answer = await client.next();
  assert.ok(answer.startsWith('0'), answer);
  await client.expect('2["hello"]');
  const joined = revision === 4 ? 1 : 0;
  // At once, before there are more.
  const used = Array.from({ length: 5 - left - joined }, (_, index) => index);
  if (used.length > 0) await client.send(...used.map(event));
  await client.expect(...used.map((index) => `2["echo","${index}"]`));
  return client;
}

const asked = (client) => logs.find({ event: 'asked', sid: client.sid });
const reason = (client) => logs.waitFor({ event: 'overrun', sid: client.sid });
const wait = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

/** Asks, once there is room for it, for what only a client in `/` is told. */
async function stillThere(client) {
  for (;;) {
    await wait(1_100);
    await client.send('28["count"]');
    const answer = await client.next();
    if (answer === '38[0]') return;
    assert.fail(answer);
  }
}

for (const transport of ['websocket', 'polling']) {
  for (const revision of [3, 4]) {
    const at = (overrun, left) => enter({ transport, revision, overrun, left });

    describe(`${transport}, revision ${revision}`, { concurrency: true, ...workerOnly }, () => {
      test('the application is asked, and closes', async () => {
        const client = await at('close', 2);
        await client.send(event('a'), event('b'), event('c'), event('d'));
        assert.equal((await reason(client)).limit, 'packets');
        const all = asked(client).map(({ limit, scope }) => [limit, scope]);
        assert.deepEqual(all, [['packets', 'client']]);
      });

      test('a dropped event is lost, and not acknowledged', async () => {
        const client = await at('drop', 1);
        await client.send(event('last'), event('lost'), '21["count"]', event('lost'));
        await client.expect('2["echo","last"]');
        await stillThere(client);
        assert.equal(asked(client).length, 3);
      });

      test('an event is dropped with its attachments', async () => {
        const client = await at('drop', 0);
        await client.send(WITH_ATTACHMENTS);
        await client.send(BYTES);
        await client.send(BYTES);
        await stillThere(client);
        assert.equal(asked(client).length, 1);
      });

      test('attachments come with the event that was taken', async () => {
        const client = await at('drop', 1);
        await client.send(WITH_ATTACHMENTS);
        await client.send(BYTES);
        await client.send(BYTES);
        await client.expect('37[2]');
        assert.equal(asked(client).length, 0);
        // They are paid for: two packets of debt.
        await client.send(event('lost'));
        await wait(2_200);
        await stillThere(client);
        assert.equal(asked(client).length, 1);
      });

      test('a dropped CONNECT is refused, and a DISCONNECT is not dropped', async () => {
        const client = await at('drop', 0);
        const refused = revision === 3 ? '4/n1,"Too many requests"' : '4/n1,{"message":"Too many requests"}';
        await client.send('0/n1,');
        await client.expect(refused);
        await client.send('1');
        await wait(2_200);
        // Only a client that has left can join again.
        await client.send('0');
        assert.ok((await client.next()).startsWith('0'));
        await client.expect('2["hello"]');
      });

      test('joins are limited by themselves', async () => {
        const client = await at('drop', 5 - (revision === 4 ? 1 : 0));
        const joins = revision === 4 ? 2 : 3;
        const numbers = Array.from({ length: joins }, (_, number) => number);
        // At once, before there are more.
        await client.send(...numbers.map((number) => `0/n${number},`), '0/n9,');
        for (const number of numbers) assert.ok((await client.next()).startsWith(`0/n${number},`));
        assert.ok((await client.next()).startsWith('4/n9,'));
        await logs.waitFor({ event: 'asked', sid: client.sid });
        assert.deepEqual(asked(client).map(({ limit }) => limit), ['joins']);
        await client.send(event('fine'));
        await client.expect('2["echo","fine"]');
      });

      test('what is delayed comes in order, with attachments and acknowledgements', async () => {
        const client = await at('delay', 0);
        await client.send(event('a'), WITH_ATTACHMENTS, BYTES, BYTES, event('b'));
        await client.expect('2["echo","a"]', '37[2]', '2["echo","b"]');
        assert.equal(asked(client).length, 1);
      });
    });
  }
}

test('a hook that panics loses its message, and nothing else', workerOnly, async () => {
  for (const revision of [3, 4]) {
    const client = await enter({ transport: 'websocket', revision, overrun: 'panic', left: 0 });
    await client.send(event('lost'));
    await logs.waitFor({ event: 'handler panicked', sid: client.sid, handler: 'overrun' });
    // The next instance has counted nothing.
    await client.send(event('there'));
    await client.expect('2["echo","there"]');
  }
});

test('what waits survives a panic', workerOnly, async () => {
  for (const transport of ['websocket', 'polling']) {
    const patient = await enter({ transport, revision: 4, overrun: 'delay', left: 0 });
    await patient.send(event('a'), WITH_ATTACHMENTS, BYTES, BYTES, event('b'));
    const reckless = await enter({ transport: 'websocket', revision: 4, overrun: 'panic', left: 0 });
    await reckless.send(event('lost'));
    await patient.expect('2["echo","a"]', '37[2]', '2["echo","b"]');
  }
});

/** Posts so many times a request to join a namespace that is not there. */
async function join(count) {
  const session = await openPolling(server, { path: '/io/' });
  const answer = await session.post(Array.from({ length: count }, () => '40/x,').join('\x1e'));
  return { sid: session.sid, status: answer.status };
}

test('165,000 CONNECTs in one POST are refused unread, and nobody notices', workerOnly, async () => {
  const beside = await socketBystanders(server);
  const { sid, status } = await join(165_000);
  assert.equal(status, 400);
  assert.equal(await logs.reason(sid), 'overrun');
  assert.equal(logs.find({ event: 'refuse', sid }).length, 0);
  await beside.check();
  await beside.leave();
});

test('of 20,000 CONNECTs in one POST, no more than a burst is looked at', workerOnly, async () => {
  const beside = await socketBystanders(server);
  const { sid, status } = await join(20_000);
  assert.equal(status, 200);
  assert.equal(await logs.reason(sid), 'overrun');
  assert.equal((await logs.waitFor({ event: 'overrun', sid })).limit, 'joins');
  assert.equal(logs.find({ event: 'refuse', sid }).length, 200);
  await beside.check();
  await beside.leave();
});
