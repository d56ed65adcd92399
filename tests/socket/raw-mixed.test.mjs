// Old and new clients (EIO=3, EIO=4), by WebSocket and by polling, in one room:
// whoever speaks, everybody hears the same.

import { after, describe, test } from 'node:test';
import assert from 'node:assert/strict';
import { startServer } from '../harness/server.mjs';
import { freshNamespace, openMember } from '../harness/socket/client.mjs';
import { encodePacket } from '../harness/socket/packet.mjs';
import { sleeping } from '../harness/target.mjs';
import { UNICODE } from '../harness/wire/samples.mjs';

const server = await startServer();
after(() => server.stop());

const kinds = [
  { revision: 3, transport: 'websocket' },
  { revision: 3, transport: 'polling' },
  { revision: 4, transport: 'websocket' },
  { revision: 4, transport: 'polling' },
];

/** One of each kind in the same namespace, in the room `all`; `odd` holds every other. */
async function company(chosen, asleep) {
  const namespace = freshNamespace();
  const members = [];
  for (const kind of chosen) {
    const member = await openMember(server, { path: '/io/', namespace, asleep, ...kind });
    await member.ask('join', members.length % 2 ? ['all', 'odd'] : ['all']);
    members.push(member);
  }
  return members;
}

/** From each member to everybody, and everybody hears the same bytes. */
async function everybodyHears(members, ...event) {
  for (const speaker of members) {
    const others = members.filter((member) => member !== speaker);
    const { namespace } = speaker;
    const cast = encodePacket(2, { namespace, id: 9, data: ['cast', { to: ['all'] }, ...event] });
    await speaker.client.send(...cast);
    await speaker.client.expect(`3${speaker.prefix}9["ok"]`);
    for (const other of others) await other.expect(...event);
  }
}

const rules = (chosen, asleep) => {
  test('text', async () => {
    const members = await company(chosen, asleep);
    await everybodyHears(members, 'news', 1, { a: [null, 'two'] });
    await everybodyHears(members, UNICODE, UNICODE);
    await everybodyHears(members, 'large', 'x'.repeat(100_000));
  });

  test('binary', async () => {
    const members = await company(chosen, asleep);
    await everybodyHears(members, 'bytes', Buffer.of(1, 2, 3), { a: [Buffer.alloc(0)] }, 'text');
    await everybodyHears(members, 'large', Buffer.alloc(50_000, 4));
  });

  test('text and binary keep their order', async () => {
    const members = await company(chosen, asleep);
    const [speaker, ...others] = members;
    const events = [['a', 1], ['b', Buffer.of(2)], ['c', 3], ['d', Buffer.of(4), Buffer.of(5)], ['e']];
    for (const event of events) {
      const cast = ['cast', { to: ['all'] }, ...event];
      await speaker.client.send(...encodePacket(2, { namespace: speaker.namespace, data: cast }));
    }
    for (const other of others) for (const event of events) await other.expect(...event);
  });

  test('rooms and exceptions know no generation', async () => {
    const members = await company(chosen, asleep);
    const [speaker] = members;
    assert.deepEqual(await speaker.ask('cast', { to: ['odd'] }, 'odd'), ['ok']);
    assert.deepEqual(await speaker.ask('cast', { to: ['all'], except: ['odd'] }, 'even'), ['ok']);
    for (const [index, member] of members.entries()) {
      if (index > 0) await member.expect(index % 2 ? 'odd' : 'even');
      await member.nothing();
    }
  });

  test('one to another, by id', async () => {
    const members = await company(chosen, asleep);
    for (const speaker of members) {
      for (const other of members.filter((member) => member !== speaker)) {
        assert.deepEqual(await speaker.ask('direct', other.id, 'hello', speaker.id), ['ok']);
        await other.expect('hello', speaker.id);
      }
    }
  });

  test('fetched together', async () => {
    const members = await company(chosen, asleep);
    const [list] = await members[0].ask('fetch', { from: 'server', to: ['all'] });
    assert.deepEqual(list.map(([id]) => id).toSorted(), members.map(({ id }) => id).toSorted());
  });
};

describe('both generations and transports', { concurrency: true }, () => {
  rules(kinds, false);

  test('all are asked, all answer, text and bytes', async () => {
    const members = await company(kinds);
    const [asker, ...others] = members;
    const cast = ['cast', { to: ['all'], ack: true, timeout: 5_000 }, 'q', Buffer.of(7)];
    await asker.client.send(...encodePacket(2, { namespace: asker.namespace, id: 3, data: cast }));
    const ids = new Set();
    for (const [index, other] of others.entries()) {
      const { type, id, data } = await other.client.packet();
      assert.deepEqual([type, data], [5, ['q', Buffer.of(7)]]);
      ids.add(id);
      await other.answer(id, index);
    }
    assert.equal(ids.size, 1);
    await asker.client.expect(`3${asker.prefix}3["ok",[0,1,2]]`);
  });

  test('one that goes leaves the others as they were', async () => {
    const members = await company(kinds);
    const [first, ...others] = members;
    await first.client.close();
    await server.logs.waitFor({ event: 'disconnected', socket: first.id });
    await everybodyHears(others, 'still here', Buffer.of(1));
  });
});

describe('both generations, asleep in between', { concurrency: 1, ...sleeping }, () => {
  const chosen = kinds.filter(({ transport }) => transport === 'websocket');
  rules([...chosen, ...chosen], true);
});
