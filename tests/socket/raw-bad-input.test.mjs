// Nothing that a client sends as Socket.IO may panic or hang the server, or be
// noticed by another client. Each case says what such a client gets.

import { after, describe, test } from 'node:test';
import assert from 'node:assert/strict';
import { SEED, pick, random } from '../harness/random.mjs';
import { startServer } from '../harness/server.mjs';
import { socketBystanders } from '../harness/socket/bystanders.mjs';
import { freshNamespace, openClient, openMember } from '../harness/socket/client.mjs';
import { encodePacket } from '../harness/socket/packet.mjs';
import { eachWay } from '../harness/socket/ways.mjs';
import { differs, workerOnly } from '../harness/target.mjs';

const server = await startServer();
after(() => server.stop());

const { logs } = server;
const BYTES = Buffer.of(1, 2, 3);
const place = (num) => `{"_placeholder":true,"num":${num}}`;

const FRAGMENTS = [
  '0', '1', '2', '3', '4', '5', '6', '7', '51-', '61-', '50-', '59-', '/chat,', '/', '/chat', ',',
  '0', '12', '-1', '[', ']', '["message"', '"message"', ',1', '{', '}', '{}', '[]', '""',
  place(0), place(9), '"disconnect"', '?a=1', 'null', '\\', '\\ud800',
  'é', '🦔', '\u0000', '\u2028', '\x1e', '1e999', '[[[[[[[[', '{"a":'.repeat(9), 'x'.repeat(2_000), '"cast",{"to":["a"]},"x"',
  '"join"', '"ask",5', '"set-data"', '"fetch",{}', '"cast",{"to":7}', '"typed"',
];

/** A message made of what means something to the protocol, in no sensible order. */
function nonsense(next) {
  const count = 1 + Math.floor(next() * 6);
  const text = Array.from({ length: count }, () => pick(next, FRAGMENTS)).join('');
  return next() < 0.15 ? Buffer.from(text) : text;
}

const rules = ({ revision, transport, open, member }) => {
  test(`nonsense (seed ${SEED}): answered or closed, and nobody else notices`, async () => {
    const next = random(SEED + revision);
    const others = await socketBystanders(server, { revision });
    for (let round = 0; round < 40; round += 1) {
      const client = await open();
      if (next() < 0.8) await client.join(pick(next, ['/', '/chat']));
      const messages = Array.from({ length: 6 }, () => nonsense(next));
      const answer = await client.try(...messages);
      if (answer) assert.ok([200, 400].includes(answer.status), `status ${answer.status}: ${answer.text}`);
      if (!answer || answer.status === 200) await client.close().catch(() => {});
    }
    await others.check();
    await others.leave();
  });

  test('every packet that is cut off: answered or closed', async () => {
    const others = await socketBystanders(server, { revision });
    const whole = `51-/chat,12["message-with-ack",{"a":[${place(0)},"\\u00e9🦔"]}]`;
    const characters = [...whole];
    const cuts = characters.map((_, end) => characters.slice(0, end).join('')).filter((_, end) => end % 3 === 0);
    await Promise.all(
      cuts.map(async (cut) => {
        const { client } = await member({ namespace: '/chat' });
        await client.try(cut, BYTES);
        await client.close().catch(() => {});
      }),
    );
    await others.check();
    await others.leave();
  });

  test('an array a hundred thousand deep: closed or served, and nobody else notices', async () => {
    const others = await socketBystanders(server, { revision });
    const deep = `${'['.repeat(100_000)}${']'.repeat(100_000)}`;
    for (const message of [
      `2["message",${deep}]`,
      `21["message-with-ack",${deep}]`,
      `21["set-data",${deep}]`,
      `21["surprise",${deep}]`,
      `2["message",${'{"a":'.repeat(100_000)}1${'}'.repeat(100_000)}]`,
      `2${'['.repeat(100_000)}`,
      `30${deep}`,
      `0/custom,{"a":${deep}}`,
      `51-["message",${deep}]`,
    ]) {
      const player = await member();
      await player.client.try(message);
      await player.client.close().catch(() => {});
      await logs.waitFor({ event: 'disconnected', socket: player.id });
      await others.check();
    }
    await others.leave();
  });

  if (transport === 'websocket') {
    test('an array a million deep', differs('overflows its stack'), async () => {
      const others = await socketBystanders(server, { revision });
      const player = await member();
      const half = 450_000;
      for (const name of ['message', 'set-data', 'surprise', 'cast']) {
        await player.client.send(`21["${name}",${'['.repeat(half)}${']'.repeat(half)}]`);
        await others.check();
      }
      const fresh = await member();
      await fresh.client.send(`2["message",${'['.repeat(990_000)}`);
      assert.deepEqual(await fresh.client.ended(), []);
      await others.check();
      await others.leave();
    });
  }

  test('attachments that never come: the others are served', async () => {
    const others = await socketBystanders(server, { revision });
    const waits = await member();
    await waits.client.send(`53-["message",${place(0)},${place(1)},${place(2)}]`, BYTES);
    await others.check();
    await waits.client.close();
    await logs.waitFor({ event: 'disconnected', socket: waits.id });
    await others.check();
    await others.leave();
  });

  test('attachments that come after all complete the event', async () => {
    const player = await member();
    await player.client.send(`52-["message",${place(0)},${place(1)}]`);
    await player.client.send(BYTES);
    const other = await member();
    await other.nothing();
    await player.client.send(BYTES);
    await player.expect('message-back', BYTES, BYTES);
  });

  // To old clients' names, the reference server does what browsers do to URLs.
  const normalizes = revision === 3 ? differs('normalizes names') : {};
  test('names of namespaces of every kind: "Invalid namespace"', normalizes, async () => {
    const others = await socketBystanders(server, { revision });
    const names = ['/__proto__', '/constructor', '/🦔', '/"', '/\u0000', '/ ', '/../chat', '/%2F', '/['];
    for (const name of [...names, `/${'x'.repeat(50_000)}`]) {
      const client = await open();
      if (revision === 3) await client.expect('0', '2["auth",{}]');
      await client.send(`0${name},`);
      const invalid = '"Invalid namespace"';
      await client.expect(`4${name},${revision === 3 ? invalid : `{"message":${invalid}}`}`);
      await client.close();
    }
    await others.check();
    await others.leave();
  });

  // As many as the rate limit lets a client ask for at once.
  test('a hundred and fifty namespaces asked for: each is answered, within the bound', async () => {
    const others = await socketBystanders(server, { revision });
    const { client } = await member();
    const stem = freshNamespace();
    const names = Array.from({ length: 150 }, (_, index) => `${stem}-${index}`);
    const asked = client.try(...names.map((name) => `0${name},`));
    for (let answered = 0; answered < names.length; answered += 1) assert.match(await client.next(), /^[04]\/dynamic-/);
    await asked;
    await others.check();
    await client.close();
    await others.leave();
  });

  test('ten thousand rooms: joined or refused, and the socket lives', async () => {
    const others = await socketBystanders(server, { revision });
    const player = await member({ namespace: freshNamespace() });
    const rooms = Array.from({ length: 10_000 }, (_, index) => `room ${index}`);
    await player.ask('join', rooms);
    await player.ask('rooms');
    for (let index = 0; index < 100; index += 1) await player.emit('join', `more ${index}`);
    await player.nothing();
    await others.check();
    await player.client.close();
    await others.leave();
  });

  test('ten thousand acknowledgements that nobody asked for are ignored', async () => {
    const others = await socketBystanders(server, { revision });
    const player = await member();
    await player.client.send(...Array.from({ length: 10_000 }, (_, id) => `3${id}["no"]`));
    await player.nothing();
    await others.check();
    await others.leave();
  });

  test('numbers of acknowledgements beyond all bounds: answered or closed', async () => {
    const others = await socketBystanders(server, { revision });
    for (const id of ['9'.repeat(16), '9'.repeat(20), '9'.repeat(500), '18446744073709551616', '00000000000000000000001']) {
      for (const type of [2, 3]) {
        const { client } = await member();
        await client.try(`${type}${id}["message-with-ack"]`);
        await client.close().catch(() => {});
      }
    }
    await others.check();
    await others.leave();
  });

  test('events of all kinds with arguments of no kind: the socket lives', async () => {
    const others = await socketBystanders(server, { revision });
    const namespace = freshNamespace();
    const player = await member({ namespace });
    const wrong = [null, -1, 1.5, 'text', [], {}, { to: 7 }, [[]], { to: ['a'], except: null }, true];
    const names = ['join', 'leave', 'fetch', 'direct', 'typed', 'close-room', 'make-join'];
    for (const name of [...names, 'ask', 'slow', 'burst', 'later', 'cast']) {
      const events = [[name], ...wrong.map((value) => [name, value, value])];
      await player.client.send(...events.map((event) => `2${player.prefix}${JSON.stringify(event)}`));
    }
    // Some of that is answered; the last answer is to this.
    await player.client.send(`2${player.prefix}999["echo-nothing"]`);
    while ((await player.client.next()) !== `3${player.prefix}999[]`);
    await others.check();
    await player.client.close();
    await others.leave();
  });

  test('duplicated and reordered packets: each is what it is', async () => {
    const next = random(SEED * 5 + revision);
    const others = await socketBystanders(server, { revision });
    const player = await member({ namespace: freshNamespace() });
    const { prefix, client } = player;
    const events = Array.from({ length: 60 }, (_, index) => `2${prefix}${index}["message-with-ack",${index}]`);
    const sent = events.flatMap((event) => (next() < 0.3 ? [event, event] : [event])).toSorted(() => next() - 0.5);
    await client.send(...sent);
    for (const event of sent) {
      const [, id] = /,(\d+)\[/.exec(event);
      await client.expect(`3${prefix}${id}[${id}]`);
    }
    await player.nothing();
    await others.check();
    await others.leave();
  });

  test('joining and leaving in a hurry, again and again', async () => {
    const others = await socketBystanders(server, { revision });
    const root = await member();
    const { client } = root;
    const namespace = freshNamespace();
    for (let round = 0; round < 30; round += 1) {
      await client.send(`0${namespace},`);
      assert.ok((await client.next()).startsWith(`0${namespace},`));
      await client.send(`2${namespace},["join","room"]`, `1${namespace},`);
      await root.nothing();
    }
    const last = await client.join(namespace);
    assert.deepEqual(await last.ask('fetch', { from: 'server' }), [[[last.id, [], { name: null }]]]);
    await others.check();
    await others.leave();
  });

  test('a forged answer to somebody else\'s question moves nobody', async () => {
    const namespace = freshNamespace();
    const [asked, forger] = [await member({ namespace }), await member({ namespace })];
    await asked.emit('emit-with-ack', 1);
    const id = await asked.asked('emit-with-ack', 1);
    await forger.client.send(...[-2, -1, 0, 1, 2].map((step) => `3${forger.prefix}${Math.max(0, id + step)}["forged"]`));
    await forger.nothing();
    await asked.answer(id, 'real');
    await asked.expect('emit-with-ack', 'real');
  });

  test('who sends an event on behalf of another is only itself', async () => {
    const namespace = freshNamespace();
    const [one, other] = [await member({ namespace }), await member({ namespace })];
    await one.emit('message', other.id);
    await one.expect('message-back', other.id);
    await other.nothing();
  });
};

eachWay(server, rules, { revisions: [3, 4], asleep: false });

describe('bounds of ours', workerOnly, () => {
  test('a packet whose attachments are more than a packet may have is refused', async () => {
    const player = await openMember(server);
    // Ten of a megabyte each: the message alone is within its own bound.
    const attachments = Array.from({ length: 10 }, () => Buffer.alloc(999_999));
    const [text] = encodePacket(2, { data: ['message', ...attachments] });
    const padded = text.replace('"message"', `"message","${'x'.repeat(500_000)}"`);
    await player.client.send(padded, ...attachments);
    assert.deepEqual(await player.client.ended(), []);
  });

  test('the answers to questions of others take no memory for ever', async () => {
    const others = await socketBystanders(server);
    const client = await openClient(server);
    const player = await client.join(freshNamespace());
    for (let round = 0; round < 200; round += 1) await player.emit('ask', 10, 'x'.repeat(1_000));
    for (let round = 0; round < 200; round += 1) await client.packet();
    await player.nothing();
    await others.check();
    await others.leave();
  });
});
