// What one client makes an object write, which is what costs most: $1 a million rows.
// Rows have the platform's bound of 2 MB here; the local SQLite would take more.

import { describe } from 'node:test';
import assert from 'node:assert/strict';
import { encodePacket } from '../harness/socket/packet.mjs';
import { comeBack, ticket } from '../harness/socket/recovery.mjs';
import { LARGE, SEPARATOR, attacks } from './field.mjs';

const attack = attacks();
const path = '/recovery/';
/** Of a database, in bytes. */
const PAGE = 4_096;

describe('recovery', { concurrency: 1 }, () => {
  attack('an event with nine attachments of 1 MB: nobody else loses what is kept', { path }, async (field) => {
    const victim = await field.member({ namespace: '/dynamic-1' });
    const auth = await ticket(victim);
    const attacker = await field.member({ namespace: '/dynamic-2' });
    const attachments = Array.from({ length: 9 }, () => Buffer.alloc(LARGE));
    await attacker.client.send(...encodePacket(2, { namespace: '/dynamic-2', data: ['message', ...attachments] }));
    await field.arrived(13, [attacker.client.sid]);
    await victim.client.lose();
    await field.until(({ closes }) => closes >= 1);
    const back = await comeBack(() => field.client(), '/dynamic-1', auth);
    assert.equal(back.sid, victim.id);
  });

  const joins = { path, may: { rowsWritten: 20, statements: 40 } };
  attack('10 kB of `POST` that join a namespace and leave it, over and over: 20 rows', joins, async (field) => {
    const session = await field.polling();
    const packets = Array.from({ length: 1_100 }, (_, index) => (index % 2 === 0 ? '40/chat,' : '41/chat,'));
    await session.post(packets.join(SEPARATOR));
    await field.pass(1_000);
  });

  const rooms = { path, may: { rowsWritten: 20 } };
  attack('500 joins of a room, each left again, on a WebSocket: 20 rows', rooms, async (field) => {
    const { client } = await field.member({ namespace: '/dynamic-1' });
    await field.begin();
    for (let sent = 0; sent < 500; sent += 1) {
      client.peer.send('42/dynamic-1,["join","a"]');
      client.peer.send('42/dynamic-1,["leave","a"]');
    }
    await field.arrived(1_000, [client.sid]);
    await field.pass(1_000);
  });

  attack('1,000 changes of the data that is kept of a client: 20 rows', rooms, async (field) => {
    const { client } = await field.member({ namespace: '/dynamic-1' });
    await field.begin();
    for (let sent = 0; sent < 1_000; sent += 1) client.peer.send(`42/dynamic-1,["set-data",${sent}]`);
    await field.arrived(1_000, [client.sid]);
    await field.pass(1_000);
  });

  const events = { path, may: { rowsWritten: 5_010 } };
  attack('5,000 events that are kept, at one moment: a row each', events, async (field) => {
    const { client } = await field.member({ namespace: '/dynamic-1' });
    await field.begin();
    for (let sent = 0; sent < 5_000; sent += 1) client.peer.send('42/dynamic-1,["message"]');
    await field.arrived(5_000, [client.sid]);
  });

  const forged = { path, may: { rowsWritten: 400, rowsRead: 4_000 } };
  attack('200 clients with forged pids and offsets: a new socket for each', forged, async (field) => {
    await field.many(200, async (index) => {
      const auth = { pid: `${'A'.repeat(60)}${index}`, offset: '9'.repeat(200) };
      const back = await comeBack(() => field.client(), '/dynamic-1', auth);
      assert.deepEqual(back.missed, []);
    });
  });
});

describe('sessions', { concurrency: 1 }, () => {
  const filler = 'x'.repeat(14_000);
  const handshakes = {
    'a query of 14 kB': { bound: 8_000, query: { filler } },
    'a header of 14 kB': { bound: 20_000, headers: { 'x-filler': filler } },
  };
  for (const [name, { bound, ...request }] of Object.entries(handshakes)) {
    const may = { bytesBound: 50 * bound, rowsWritten: 60 };
    attack(`50 handshakes with ${name}: ${bound} bytes are stored of each`, { may }, async (field) => {
      await field.many(50, () => field.polling(request));
      await field.pass(1_000);
    });
  }

  attack(
    '200 `POST`s of a client that has nothing to say: two rows at most',
    { may: { rowsWritten: 2 } },
    async (field) => {
      const session = await field.polling();
      for (let sent = 0; sent < 200; sent += 1) await session.send('3');
      await field.pass(1_000);
    },
  );

  attack('100 handshakes that are closed at once: a row each', { may: { rowsWritten: 101 } }, async (field) => {
    await field.many(100, async () => (await field.polling()).send('1'));
    await field.pass(1_000);
  });

  // An object that others may come to keeps its tables: two pages each.
  const gone = { path, may: { database: 6 * PAGE } };
  attack('everybody has gone, and nothing of them is kept: empty tables', gone, async (field) => {
    const members = await field.many(5, () => field.member({ namespace: '/dynamic-1' }));
    for (const member of members) await member.emit('message', 'x'.repeat(10_000));
    await field.until(({ sent }) => sent >= 15);
    await Promise.all(members.map(({ client }) => client.close()));
    await field.desert();
    for (let minutes = 0; minutes < 6; minutes += 1) await field.pass(60_000);
  });
});
