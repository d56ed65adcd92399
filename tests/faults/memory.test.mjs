// The budget of an object's memory: who holds most goes first, and nobody else notices.

import { after, before, describe, test } from 'node:test';
import assert from 'node:assert/strict';
import { openMember, openClient } from '../harness/socket/client.mjs';
import { socketBystanders } from '../harness/socket/bystanders.mjs';
import { fetchRaw } from '../harness/wire/http.mjs';
import { startServer } from '../harness/server.mjs';
import { workerOnly } from '../harness/target.mjs';

const path = '/small/';
/** Of 1,000,000 bytes; in the last eighth nobody new is let in. */
const BIG = 'x'.repeat(180_000);
const namespace = '/chat';

const upgrade = {
  connection: 'Upgrade',
  upgrade: 'websocket',
  'sec-websocket-version': '13',
  'sec-websocket-key': 'dGhlIHNhbXBsZSBub25jZQ==',
};

describe("the budget of an object's memory", workerOnly, () => {
  let server, logs;
  before(async () => {
    server = await startServer();
    ({ logs } = server);
  });
  after(() => server?.stop());

  /** Holds so many messages of a member in handlers that never return. */
  async function hang(member, count) {
    for (let sent = 0; sent < count; sent += 1) await member.emit('hang', BIG);
  }

  async function assertExpelled(client) {
    const { option } = await logs.waitFor({ event: 'memory exceeded', sid: client.sid });
    assert.equal(option, 'max_memory');
    await logs.waitFor({ event: 'disconnect', sid: client.sid, reason: 'memory exceeded' });
  }

  for (const transport of ['websocket', 'polling']) {
    test(`${transport}: messages whose handlers have not returned`, async () => {
      const others = await socketBystanders(server, { path });
      const [most, less] = [
        await openMember(server, { path, namespace, transport }),
        await openMember(server, { path, namespace, transport }),
      ];
      await hang(most, 3);
      await hang(less, 2);
      await most.nothing();
      await hang(most, 1);
      await most.client.ended();
      await assertExpelled(most.client);
      await less.nothing();
      await others.check();
      // What it held is free.
      await less.client.close();
      const next = await openMember(server, { path, namespace, transport });
      await hang(next, 3);
      await next.nothing();
      await next.client.close();
      await others.leave();
    });

    test(`${transport}: what a client says as it joins, while the application decides`, async () => {
      const others = await socketBystanders(server, { path });
      const client = await openClient(server, { path, transport });
      const auth = JSON.stringify({ delay: 60_000, big: BIG });
      for (const name of ['a', 'b', 'c', 'd', 'e', 'f']) await client.try(`0/slow-${name},${auth}`);
      await client.ended();
      await assertExpelled(client);
      await others.check();
      await others.leave();
    });
  }

  test('events for a client that does not poll', async () => {
    const others = await socketBystanders(server, { path });
    const silent = await openMember(server, { path, namespace, transport: 'polling' });
    const speaker = await openMember(server, { path, namespace });
    await silent.ask('join', 'silent');
    for (let sent = 0; sent < 6; sent += 1) {
      assert.deepEqual(await speaker.ask('cast', { to: ['silent'] }, 'news', BIG), ['ok']);
    }
    await assertExpelled(silent.client);
    await others.check();
    await speaker.client.close();
    await others.leave();
  });

  test('a full object takes nobody new, and serves those who are there', async () => {
    const others = await socketBystanders(server, { path });
    const most = await openMember(server, { path, namespace });
    await hang(most, 5);
    await most.nothing();
    for (const transport of ['polling', 'websocket']) {
      const query = { EIO: 4, transport };
      const headers = transport === 'websocket' ? upgrade : {};
      const { status, headers: answered, body } = await fetchRaw(server, { path, query, headers });
      assert.equal(status, 503);
      assert.equal(answered['retry-after'], '10');
      assert.deepEqual(JSON.parse(body), { message: 'Server is full' });
    }
    assert.equal((await logs.waitFor({ event: 'full' })).option, 'max_memory');
    await others.check();
    await most.client.close();
    await (await openMember(server, { path, namespace })).client.close();
    await others.leave();
  });
});
