// What one client makes an object do: statements, messages, lines in the log. The clock
// stands still, so that a budget by time is not refilled while the attack lasts.

import { describe } from 'node:test';
import assert from 'node:assert/strict';
import { LARGE, SEPARATOR, attacks } from './field.mjs';

const attack = attacks();

/** For all that a session does between its first request and its end, and the others do meanwhile. */
const STATEMENTS = 20;
/** More than any honest client says at one moment. */
const MANY = 22_000;

const JOIN = '40/dynamic-1,';
/** Not a packet of Socket.IO: the client broke a rule. */
const WRONG = '49';

/** As many of these packets as fit, behind the first. */
function fill(first, packet) {
  const count = Math.floor(LARGE / (packet.length + 1));
  return first + `${SEPARATOR}${packet}`.repeat(count);
}

async function joined(field) {
  const session = await field.polling();
  await session.send(JOIN);
  assert.match((await session.poll())[0], /^40\/dynamic-1,\{/);
  return session;
}

describe('a payload of 1 MB: 20 statements', { concurrency: 1 }, () => {
  const payloads = {
    'empty messages behind a wrong one': fill(WRONG, '4'),
    'requests to join behind a wrong message': fill(WRONG, '40/x,'),
    'events behind a wrong message': fill(WRONG, '42/dynamic-1,["message"]'),
    // Each is refused, until the refusals are more than the client may leave behind.
    'requests to join what is not there': fill('40/x,', '40/x,'),
    'acknowledgements that nobody asked for': fill('43/dynamic-1,1[]', '43/dynamic-1,1[]'),
    'events for no handler': fill('42/dynamic-1,["x"]', '42/dynamic-1,["x"]'),
  };
  for (const path of ['/io/', '/recovery/']) {
    for (const [name, payload] of Object.entries(payloads)) {
      for (const isHeld of [true, false]) {
        const may = { statements: STATEMENTS };
        // Each event of theirs is a row, if it is answered.
        const title = `${name}, on ${path}, ${isHeld ? 'a GET held' : 'no GET'}`;
        attack(title, { path, may }, async (field) => {
          const session = await joined(field);
          const held = isHeld ? await session.hold() : undefined;
          await field.begin();
          const { status } = await session.post(payload);
          assert.ok(status === 200 || status === 400, `status ${status}`);
          if (payload.startsWith(WRONG) && held) assert.deepEqual(session.packets(await held.response), ['1']);
          held?.request.destroy();
        });
      }
    }
  }

  attack('50,000 events that are answered: the session is over', {}, async (field) => {
    const session = await joined(field);
    await session.post(fill('42/dynamic-1,["x"]', '42/dynamic-1,["x"]'));
    await field.server.logs.waitFor({ event: 'disconnect', sid: session.sid });
  });
});

describe('a flood on a WebSocket ends with `overrun`', { concurrency: 1 }, () => {
  const joins = (index) => [`40/dynamic-${index},`, `41/dynamic-${index},`];
  // `answers`: of as many packets, or joins, as a client may send at once, and a few more.
  const floods = {
    'events that are answered': { count: MANY, answers: 21_000, frames: () => ['42/dynamic-1,["message","hello"]'] },
    'events with 9 attachments of no bytes': {
      count: 2_200,
      answers: 21_000,
      frames: () => [
        `459-/dynamic-1,["message",${Array.from({ length: 9 }, (_, num) => `{"_placeholder":true,"num":${num}}`)}]`,
        ...Array.from({ length: 9 }, () => Buffer.alloc(0)),
      ],
    },
    'joins of a namespace, each left again': { count: 2_000, answers: 300, frames: joins },
    'joins of what is not there': { count: MANY, answers: 300, frames: () => ['40/nowhere,'] },
    'acknowledgements that nobody asked for': { count: MANY, answers: 10, frames: () => ['43/dynamic-1,7[]'] },
  };
  for (const [name, { count, answers, frames }] of Object.entries(floods)) {
    const sends = `${count.toLocaleString('en')} ${name}`;
    attack(sends, { may: { statements: STATEMENTS, sent: answers } }, async (field) => {
      const { client } = await field.member({ namespace: '/dynamic-1' });
      await field.begin();
      let sent = 0;
      for (let index = 0; index < count; index += 1) {
        for (const frame of frames(index + 2)) {
          client.peer.send(frame);
          sent += 1;
        }
      }
      await field.arrived(sent, [client.sid]);
      assert.equal((await client.peer.end()).code, 1008);
      await field.endsWith(client.sid, 'overrun');
    });
  }
});

describe('a flood that is not answered in kind', { concurrency: 1 }, () => {
  const probes = { may: { statements: STATEMENTS, sent: 2_010 } };
  attack('2,000 probes on the WebSocket of an upgrade: an answer to each, and no more', probes, async (field) => {
    const session = await field.polling();
    const peer = await session.upgrade();
    for (let sent = 0; sent < 2_000; sent += 1) peer.send('2probe');
    await field.arrived(2_000, [session.sid]);
    peer.destroy();
  });

  attack(
    '200 WebSockets for one session: it has two, and goes on',
    { may: { statements: STATEMENTS } },
    async (field) => {
      const session = await field.polling();
      const peers = await field.many(200, () => session.upgrade());
      await session.send('3');
      for (const peer of peers) peer.destroy();
    },
  );

  attack('17 `POST`s at once from each of 20 clients: their sessions end', {}, async (field) => {
    const post = { method: 'POST', headers: { 'content-length': 1_000 }, body: '4', isUnfinished: true };
    await field.many(20, async () => {
      const session = await field.polling();
      const posts = Array.from({ length: 17 }, () => session.start(post));
      await Promise.any(posts.map(({ response }) => response));
      await field.endsWith(session.sid, 'transport error');
      for (const { request } of posts) request.destroy();
    });
  });
});

describe('lines of the log', { concurrency: 1 }, () => {
  const may = { warnings: 20, errors: 0 };
  attack('2,000 events with wrong arguments: 20 lines', { may }, async (field) => {
    const { client } = await field.member({ namespace: '/dynamic-1' });
    for (let sent = 0; sent < 2_000; sent += 1) client.peer.send('42/dynamic-1,["typed",1]');
    await field.arrived(2_000, [client.sid]);
  });

  attack(
    '300 requests of 300 foreign origins: 20 lines, and no object is called',
    { may: { ...may, woken: 2 } },
    async (field) => {
      await field.many(300, async (index) => {
        const headers = { origin: `http://evil-${index}.example` };
        const { status } = await field.request({ query: { EIO: 4, transport: 'polling' }, headers });
        assert.equal(status, 400);
      });
    },
  );
});

describe('values that are nested', { concurrency: 1 }, () => {
  const deep = '['.repeat(LARGE / 2);
  const texts = {
    'a list in a list, 495,000 levels deep, closed': `42/dynamic-1,["message",${deep}${']'.repeat(LARGE / 2)}]`,
    'the same, unfinished': `42/dynamic-1,["message",${deep}`,
    'objects, 165,000 levels deep': `42/dynamic-1,["message",${'{"a":'.repeat(LARGE / 6)}1${'}'.repeat(LARGE / 6)}]`,
    'an `auth` as deep as that': `40/dynamic-2,${'{"a":'.repeat(LARGE / 6)}1${'}'.repeat(LARGE / 6)}`,
  };
  for (const [name, text] of Object.entries(texts)) {
    attack(`${name}: no panic`, {}, async (field) => {
      const { client } = await field.member({ namespace: '/dynamic-1' });
      client.peer.send(text);
      await field.arrived(2, [client.sid]);
    });
  }

  const msgpack = { path: '/msgpack/', othersAt: '/io/' };
  attack('450 kB of numbers, 97 levels deep, in msgpack: no panic', msgpack, async (field) => {
    const client = await field.client();
    await field.begin();
    client.peer.send(packed(0, []));
    client.peer.send(packed(2, [0x92, 0xa1, 0x78, ...Array(97).fill(0x91), 0xdc, 0xff, 0xff], 450_000));
    await field.arrived(2, [client.sid]);
  });
});

/** A packet of msgpack: its type, and bytes of its data with so many zeros behind. */
function packed(type, data, zeros = 0) {
  const text = (value) => [0xa0 + value.length, ...Buffer.from(value)];
  const head = [0x80 + (data.length > 0 ? 3 : 2), ...text('type'), type, ...text('nsp'), ...text('/')];
  return Buffer.concat([Buffer.from([...head, ...(data.length > 0 ? text('data') : []), ...data]), Buffer.alloc(zeros)]);
}
