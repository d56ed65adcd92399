// Memory that all clients of an object share, and other objects of the isolate with
// them. What is counted is the linear memory of wasm, which never shrinks again: so each
// attack has a runtime of its own. A client's bytes are charged to the object's budget
// (`max_memory`, 32 MiB); the bounds here are what that makes of linear memory.

import { describe, test } from 'node:test';
import assert from 'node:assert/strict';
import { encodePacket } from '../harness/socket/packet.mjs';
import { comeBack, heard, ticket } from '../harness/socket/recovery.mjs';
import { LARGE, MiB, SEPARATOR, attacks } from './field.mjs';

const attack = attacks({ isFresh: true });


const LARGEST_FRAME = 31 * MiB;
const BYTES = Buffer.alloc(LARGE);
const TEXT = 'x'.repeat(LARGE);

/** The text of an event that announces so many attachments. */
function announce(count, namespace = '/') {
  const placeholders = Array.from({ length: count }, (_, num) => ({ _placeholder: true, num }));
  return `45${count}-${namespace === '/' ? '' : `${namespace},`}${JSON.stringify(['message', ...placeholders])}`;
}

describe('one message over max_payload is refused before it is copied', { concurrency: 1 }, () => {
  const frames = { text: `4€${'a'.repeat(LARGEST_FRAME)}`, bytes: Buffer.alloc(LARGEST_FRAME) };
  for (const [kind, frame] of Object.entries(frames)) {
    for (const path of ['/io/', '/sleepy/']) {
      attack(`31 MiB of ${kind} on ${path}: 8 MiB of wasm`, { path, may: { wasm: 8 * MiB } }, async (field) => {
        const peer = await field.session();
        peer.send(frame);
        assert.equal((await peer.end()).code, 1009);
      });
    }
  }

  const bomb = { compresses: true, may: { wasm: 8 * MiB } };
  attack('31 KiB that inflate to 31 MiB: 8 MiB of wasm', bomb, async (field) => {
    const peer = await field.session({ compresses: true });
    assert.match(peer.socket.extensions, /permessage-deflate/);
    peer.send(frames.text);
    assert.equal((await peer.end()).code, 1009);
  });

  attack(
    '20 `POST`s of 31 MiB, with and without a length: 16 MiB of wasm',
    { may: { wasm: 16 * MiB } },
    async (field) => {
      const body = Buffer.alloc(LARGEST_FRAME, '4');
      const headers = [{ 'content-length': body.length }, { 'transfer-encoding': 'chunked' }];
      await field.many(20, async (index) => {
        const session = await field.polling();
        // The connection may be reset before the client has read the answer.
        const answer = await session.post(body, { headers: headers[index % 2] }).catch(() => undefined);
        assert.ok(answer === undefined || answer.status === 413, `status ${answer?.status}`);
      });
    },
  );
});

describe('a payload of 1 MB with as many packets as fit: 16 MiB of wasm', { concurrency: 1 }, () => {
  const payloads = {
    'empty messages of revision 4': { revision: 4, packet: `4${SEPARATOR}` },
    'empty messages of revision 3': { revision: 3, packet: '1:4' },
  };
  for (const [name, { revision, packet }] of Object.entries(payloads)) {
    for (const path of ['/io/', '/sleepy/']) {
      attack(`${name}, on ${path}`, { path, may: { wasm: 16 * MiB } }, async (field) => {
        const session = await field.polling({ revision });
        const { status } = await session.post(packet.repeat(LARGE / packet.length) + (revision === 4 ? '4' : ''));
        assert.ok(status === 200 || status === 400, `status ${status}`);
      });
    }
  }
});

describe('what is not complete', { concurrency: 1 }, () => {
  for (const namespace of [undefined, '/dynamic-1']) {
    const may = { wasm: (namespace ? 96 : 16) * MiB, statements: 40, database: 64 * 1024 };
    const who = namespace ? 'that have joined' : 'before any join';
    attack(`nine of ten attachments of 1 MB, from 15 clients ${who}`, { may }, async (field) => {
      const clients = await field.many(15, () => field.client());
      if (namespace) await Promise.all(clients.map((client) => client.join(namespace)));
      await field.begin();
      for (const { peer } of clients) {
        peer.send(announce(10, namespace));
        for (let sent = 0; sent < 9; sent += 1) peer.send(BYTES);
      }
      await field.arrived(
        150,
        clients.map(({ sid }) => sid),
      );
    });
  }

  attack('16 bodies of 1 MB at once from each of 20 clients, without their last byte', {}, async (field) => {
    const sessions = await field.many(20, () => field.polling());
    await field.begin();
    const headers = { 'content-type': 'text/plain', 'transfer-encoding': 'chunked' };
    const post = { method: 'POST', headers, body: BYTES, isUnfinished: true };
    const posts = sessions.flatMap((session) => Array.from({ length: 16 }, () => session.start(post)));
    await field.until(({ fetches }) => fetches >= posts.length);
    await field.until(() => posts.every(({ request }) => request.writableLength === 0));
    for (const { request } of posts) request.destroy();
  });

  attack('1,000 handshakes that nobody takes up', { may: { wasm: 16 * MiB } }, async (field) => {
    for (let round = 0; round < 20; round += 1) await field.many(50, () => field.polling());
  });
});

describe('what waits for the application', { concurrency: 1 }, () => {
  attack(
    '1 MB of `auth` from each of 99 clients whose `on_connect` waits',
    { may: { wasm: 96 * MiB } },
    async (field) => {
      const auth = JSON.stringify({ delay: 3_600_000, name: TEXT });
      const clients = await field.many(99, () => field.client());
      for (const { peer } of clients) peer.send(`40/slow,${auth}`);
      await field.arrived(
        99,
        clients.map(({ sid }) => sid),
      );
    },
  );

  attack(
    '16 MB of events from each of ten clients whose handlers never return',
    { may: { wasm: 96 * MiB } },
    async (field) => {
      const members = await field.many(10, (index) => field.member({ namespace: `/dynamic-${index}` }));
      await field.begin();
      for (const { client, prefix } of members) {
        for (let sent = 0; sent < 17; sent += 1) client.peer.send(`42${prefix}["hang","${TEXT}"]`);
      }
      await field.arrived(
        170,
        members.map(({ client }) => client.sid),
      );
    },
  );

  attack(
    '999 questions of the server to each of ten clients that answer none',
    { may: { wasm: 96 * MiB } },
    async (field) => {
      const members = await field.many(10, (index) => field.member({ namespace: `/dynamic-${index}` }));
      await field.begin();
      for (const { client, prefix } of members) {
        for (let id = 0; id < 999; id += 1) client.peer.send(`42${prefix}${id}["ask",60000,"${'x'.repeat(900)}"]`);
      }
      await field.arrived(
        9_990,
        members.map(({ client }) => client.sid),
      );
    },
  );
});

describe('what is kept', { concurrency: 1 }, () => {
  attack(
    '8 rooms with names of 900 kB from each of 12 clients: none is entered',
    { may: { errors: 12 } },
    async (field) => {
      const members = await field.many(12, (index) => field.member({ namespace: `/dynamic-${index}` }));
      await field.begin();
      for (const { client, prefix } of members) {
        for (let room = 0; room < 8; room += 1) {
          client.peer.send(`42${prefix}["join","${room}${'r'.repeat(900_000)}"]`);
        }
      }
      await field.arrived(
        96,
        members.map(({ client }) => client.sid),
      );
    },
  );

  attack(
    '1 MB of data of each of 60 clients, and a broadcast after sleep',
    { may: { wasm: 112 * MiB } },
    async (field) => {
      const members = await field.many(60, () => field.member({ namespace: '/dynamic-1' }));
      for (const member of members) await member.ask('set-data', TEXT).catch(() => {});
      await field.sleep();
      const speaker = await field.member({ namespace: '/dynamic-1' });
      assert.deepEqual(await speaker.ask('cast', { from: 'server', to: ['nobody'] }, 'news'), ['ok']);
    },
  );

  const path = '/recovery/';
  attack('59 MB of events that one client has missed: it starts over', { path }, async (field) => {
    const namespace = '/dynamic-1';
    const member = await field.member({ namespace });
    const auth = await ticket(member);
    for (let sent = 0; sent < 60; sent += 1) {
      await member.emit('message', TEXT);
      await heard(member);
    }
    await member.client.lose();
    await field.until(({ closes }) => closes >= 1);
    await field.sleep();
    const back = await comeBack(() => field.client(), namespace, auth);
    assert.notEqual(back.sid, member.id);
  });

  const short = '/recovery-short/';
  attack(
    '1 MB of data of each of 60 clients that were lost, when their time is over',
    { path: short, may: { wasm: 96 * MiB } },
    async (field) => {
      const members = await field.many(60, () => field.member({ namespace: '/dynamic-1' }));
      for (const member of members) await member.ask('set-data', TEXT).catch(() => {});
      await Promise.all(members.map(({ client }) => client.lose()));
      await field.until(({ closes }) => closes >= members.length);
      await field.sleep();
      await field.pass(10_000);
    },
  );
});

describe('what nobody fetches', { concurrency: 1 }, () => {
  attack('3 MB for each of 60 polling clients that do not poll', { may: { wasm: 96 * MiB } }, async (field) => {
    const namespace = '/dynamic-1';
    await field.many(60, () => field.member({ namespace, transport: 'polling' }));
    const speaker = await field.member({ namespace });
    for (let sent = 0; sent < 3; sent += 1) await speaker.ask('cast', {}, 'news', TEXT);
  });

  // The handler that sends last learns that the client has gone, and says so in the log.
  const cut = { may: { bytesSent: 17 * MiB, errors: 1 } };
  attack(
    '40 MB for a client of revision 3 that reads nothing but sends pings: 17 MiB are sent',
    cut,
    async (field) => {
      const { peer, sid } = await field.member({ revision: 3 }).then(({ client }) => client);
      peer.socket.pause();
      await field.begin();
      for (let asked = 0; asked < 40; asked += 1) {
        peer.send(`42["big",${LARGE}]`);
        peer.send('2');
      }
      await field.arrived(80, [sid]);
      peer.destroy();
    },
  );
});

describe('an object that is full', { concurrency: 1 }, () => {
  const full = { may: { wasm: 96 * MiB } };
  attack('99 MB of `auth`: the largest holders end with `memory exceeded`', full, async (field) => {
    const auth = JSON.stringify({ delay: 3_600_000, name: TEXT });
    const clients = await field.many(99, () => field.client());
    for (const { peer } of clients) peer.send(`40/slow,${auth}`);
    const ended = await Promise.race(clients.map(async (client) => ({ client, ...(await client.peer.end()) })));
    assert.equal(ended.code, 1013);
    await field.endsWith(ended.client.sid, 'memory exceeded');
  });
});

test('a client of the tests writes packets as it should', () => {
  assert.equal(announce(1, '/a'), `4${encodePacket(2, { namespace: '/a', data: ['message', Buffer.of(1)] })[0]}`);
});
