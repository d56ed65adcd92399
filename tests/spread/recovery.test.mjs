// Connection state recovery across objects: a client that comes back anywhere has its
// socket again, and what it has missed: once, and in order.

import { after, before, describe, test } from 'node:test';
import assert from 'node:assert/strict';
import { objectId } from '../harness/runtime/built.mjs';
import { startServer } from '../harness/server.mjs';
import { openClient } from '../harness/socket/client.mjs';
import { encodePacket } from '../harness/socket/packet.mjs';
import { heard, ticket } from '../harness/socket/recovery.mjs';
import { loggingHub, objects } from '../harness/socket/spread.mjs';
import { workerOnly } from '../harness/target.mjs';

const path = '/spread/';
const hub = loggingHub(path, '/');
let rooms = 0;
const freshRoom = () => `room ${(rooms += 1)}`;

/** What comes before the answer to CONNECT, and the answer. */
async function comeBack(client, auth) {
  await client.send(...encodePacket(0, { data: auth }));
  const missed = [];
  for (;;) {
    const { type, data } = await client.packet('CONNECT');
    if (type !== 0) {
      assert.ok(type === 2 || type === 5, `packet type ${type}`);
      missed.push(data);
      continue;
    }
    const member = client.as('/', data);
    // It greets those who come back, too.
    const greeting = (await heard(member)).args;
    return { member, greeting, missed };
  }
}

/** What was missed, without what the application says to whoever connects. */
const texts = (missed) => missed.map((args) => args.slice(0, -1)).filter(([name]) => name !== 'auth');

describe('recovery across objects', workerOnly, () => {
  let server;
  before(async () => (server = await startServer()));
  after(() => server?.stop());

  /** A client in another object than these. */
  async function elsewhere(...others) {
    for (;;) {
      const client = await openClient(server, { path });
      if (!others.includes(objectId(client.sid))) return client;
      await client.lose();
    }
  }

  /** A client in this one. */
  async function inObject(place) {
    for (;;) {
      const client = await openClient(server, { path });
      if (objectId(client.sid) === place) return client;
      await client.lose();
    }
  }

  const member = async (...others) => (await elsewhere(...others)).join('/');
  const placeOf = ({ client }) => objectId(client.sid);

  /** Somebody in a room, and somebody in another object who talks to it. */
  async function company() {
    const room = freshRoom();
    const one = await member();
    const speaker = await member(placeOf(one));
    await one.ask('join', room);
    const offset = one.greeting.at(-1);
    return { room, one, speaker, offset, pid: one.pid };
  }

  const say = async ({ speaker, room }, value) => {
    assert.deepEqual(await speaker.ask('say', room, value), ['ok']);
  };
  const lose = async ({ client, id }) => {
    await client.lose();
    await server.logs.waitFor({ event: 'disconnected', socket: id });
  };

  const back = async (client, pid, offset) => comeBack(client, { pid, offset });
  const recovered = (id) => server.logs.waitFor({ event: 'connected', socket: id, recovered: true });

  /** A client has its socket again, in this object, and hears what follows. */
  async function assertBack({ room, one, speaker, pid }, { member, missed }, values) {
    assert.equal(member.id, one.id);
    assert.equal(member.pid, pid);
    await recovered(one.id);
    assert.deepEqual(texts(missed), values.map((value) => ['said', value, speaker.id]));
    assert.deepEqual(await member.ask('rooms'), [[room]]);
    await say({ room, speaker }, 'and on');
    assert.deepEqual((await heard(member)).args, ['said', 'and on', speaker.id]);
  }

  /** What a client starts over with. */
  function assertFresh(old, { member, missed }) {
    assert.deepEqual(missed, []);
    assert.notEqual(member.id, old.id);
    assert.notEqual(member.pid, old.pid);
  }

  test('a client that comes back to another object has its socket, and what it has missed', async () => {
    const all = await company();
    const { one, pid } = all;
    await say(all, 1);
    const { args, offset } = await heard(one);
    assert.deepEqual(args, ['said', 1, all.speaker.id]);
    await lose(one);
    await say(all, 2);
    await say(all, 3);
    await assertBack(all, await back(await elsewhere(placeOf(one)), pid, offset), [2, 3]);
  });

  test('it may come to where it was, or to the speaker, any number of times in a row', async () => {
    const all = await company();
    const { one, pid, speaker } = all;
    let { offset } = all;
    let last = one;
    for (const value of [1, 2, 3, 4, 5, 6]) {
      await lose(last);
      await say(all, value);
      const places = [[], [placeOf(one)], [placeOf(speaker), placeOf(last)]][value % 3];
      const client = value === 4 ? await inObject(placeOf(one)) : await elsewhere(...places);
      const answer = await back(client, pid, offset);
      assert.deepEqual(texts(answer.missed), [['said', value, speaker.id]]);
      assert.equal(answer.member.id, one.id);
      last = answer.member;
      offset = answer.missed.at(-1).at(-1);
    }
  });

  test('what is for the socket alone is there, too, in its place, wherever the socket is', async () => {
    const all = await company();
    const { one, pid, speaker } = all;
    const { offset } = all;
    await one.emit('message', 'own 1');
    await heard(one);
    await say(all, 'room 2');
    await heard(one);
    await one.emit('message', 'own 3');
    await heard(one);
    await lose(one);
    assert.deepEqual(await speaker.ask('tell', one.id, 'told 4'), ['ok']);
    const { member, missed } = await back(await elsewhere(placeOf(one)), pid, offset);
    const expected = [
      ['message-back', 'own 1'],
      ['said', 'room 2', speaker.id],
      ['message-back', 'own 3'],
      ['told', 'told 4'],
    ];
    assert.deepEqual(texts(missed), expected);
    // Nothing of it again, from any of the positions in it.
    await member.emit('message', 'own 5');
    await heard(member);
    await lose(member);
    for (const [index, args] of missed.entries()) {
      const again = await back(await elsewhere(), pid, args.at(-1));
      assert.equal(again.member.id, one.id);
      const rest = [...expected.slice(index + 1), ['message-back', 'own 5']];
      assert.deepEqual(texts(again.missed), rest);
      await lose(again.member);
    }
  });

  test('its id reaches it, wherever it is, and while it is away', async () => {
    const all = await company();
    const { one, pid, speaker, offset } = all;
    await lose(one);
    const { member } = await back(await elsewhere(placeOf(one)), pid, offset);
    assert.deepEqual(await speaker.ask('tell', one.id, 'there'), ['ok']);
    const told = await heard(member);
    assert.deepEqual(told.args, ['told', 'there']);
    const neighbour = await (await inObject(placeOf(one))).join('/');
    assert.deepEqual(await neighbour.ask('tell', one.id, 'from its home'), ['ok']);
    assert.deepEqual((await heard(member)).args, ['told', 'from its home']);
    await lose(member);
    assert.deepEqual(await neighbour.ask('tell', one.id, 'away'), ['ok']);
    const again = await back(await elsewhere(placeOf(member)), pid, told.offset);
    assert.deepEqual(texts(again.missed), [['told', 'from its home'], ['told', 'away']]);
  });

  test('so do its data', async () => {
    const { one, pid, speaker, offset } = await company();
    await lose(one);
    const { member } = await back(await elsewhere(placeOf(one), placeOf(speaker)), pid, offset);
    const neighbour = await (await inObject(placeOf(one))).join('/');
    for (const [number, asking] of [speaker, neighbour].entries()) {
      assert.deepEqual(await asking.ask('set-data-of', one.id, { number }), []);
      assert.deepEqual(await asking.ask('data-of', one.id), [{ number }]);
      assert.deepEqual(await member.ask('get-data'), [{ number }]);
    }
  });

  test('a session that is not known to be dead gives its socket up', async () => {
    const all = await company();
    const { one, pid, offset } = all;
    await say(all, 1);
    const answer = await back(await elsewhere(placeOf(one)), pid, offset);
    await one.client.ended();
    await assertBack(all, answer, [1]);
  });

  test('nor does it matter that its on_connect has not decided yet', async () => {
    const namespace = '/slow';
    const one = await (await elsewhere()).join(namespace);
    const auth = await ticket(one);
    const home = placeOf(one);
    await lose(one);
    const first = await elsewhere(home);
    const calls = async () => (await server.counts())[home].calls;
    const before = await calls();
    await first.send(...encodePacket(0, { namespace, data: { ...auth, delay: 20_000 } }));
    // It has been claimed and confirmed.
    while ((await calls()) < before + 2);
    const last = await elsewhere(home, objectId(first.sid));
    await last.send(...encodePacket(0, { namespace, data: auth }));
    const { type, data } = await last.packet('CONNECT');
    assert.equal(type, 0);
    assert.equal(data.sid, one.id);
    await first.ended();
    const [sockets] = await last.as(namespace, data).ask('auths');
    assert.deepEqual(sockets.map(([id]) => id), [one.id]);
  });

  test('a forged secret gets nothing, and whoever has the socket keeps it', async () => {
    const all = await company();
    const { one, pid, offset } = all;
    const forged = `${pid.slice(0, -1)}${pid.endsWith('A') ? 'B' : 'A'}`;
    const nobody = `${'A'.repeat(59)}${pid.slice(-32)}`;
    const others = [forged, pid.slice(1), pid.slice(0, -32), '', 'x', nobody, `${pid}A`];
    for (const secret of others) {
      for (const place of [placeOf(one), undefined]) {
        const client = place ? await inObject(place) : await elsewhere(placeOf(one));
        const answer = await back(client, secret, offset);
        assertFresh(one, answer);
        await lose(answer.member);
      }
    }
    const answer = await back(await elsewhere(), pid, 'no offset of ours');
    assertFresh(one, answer);
    await say(all, 'still there');
    assert.deepEqual((await heard(one)).args, ['said', 'still there', all.speaker.id]);
  });

  test('who leaves for good does not come back', async () => {
    const all = await company();
    const { one, pid, offset } = all;
    await one.client.send('1');
    await server.logs.waitFor({ event: 'disconnected', socket: one.id });
    assertFresh(one, await back(await elsewhere(placeOf(one)), pid, offset));
  });

  const sleepers = () => [hub, ...objects(path)];
  const troubles = {
    'all objects sleep': () => Promise.all(sleepers().map((name) => server.sleepNamed(name))),
    'the hub is aborted': () => server.abortNamed(hub),
    'all objects without clients of this test are aborted': async (...kept) => {
      for (const name of objects(path)) {
        if (!kept.includes(await server.idOf(name))) await server.abortNamed(name);
      }
    },
  };
  for (const [what, happen] of Object.entries(troubles)) {
    test(`between any two steps, ${what}`, async () => {
      const all = await company();
      const { one, pid, speaker } = all;
      const kept = [placeOf(speaker)];
      const pause = () => happen(...kept);
      await say(all, 1);
      const { offset } = await heard(one);
      await happen(...kept, placeOf(one));
      await lose(one);
      await pause();
      await say(all, 2);
      await pause();
      await say(all, 3);
      await pause();
      const client = await elsewhere(placeOf(one), placeOf(speaker));
      const answer = await back(client, pid, offset);
      kept.push(objectId(client.sid));
      await pause();
      await assertBack(all, answer, [2, 3]);
    });
  }

  test('a session that polls has no event twice if its object is aborted before its hub knows', async () => {
    const speaker = await member();
    let one;
    while (!one) {
      const client = await openClient(server, { path, transport: 'polling' });
      if (objectId(client.sid) !== placeOf(speaker)) one = await client.join('/');
    }
    const room = freshRoom();
    await one.ask('join', room);
    await server.disturb('loses its answer', placeOf(one));
    await say({ speaker, room }, 1);
    // It has been written down with what it is to be sent.
    await server.settled();
    await server.abort(one.client.sid);
    await server.disturb(undefined, placeOf(one));
    await say({ speaker, room }, 2);
    for (const value of [1, 2]) assert.deepEqual((await heard(one)).args, ['said', value, speaker.id]);
    await one.client.close();
  });

  test('after a deploy, all come back to other objects', async () => {
    const all = await company();
    const { one, pid, room } = all;
    await say(all, 1);
    const { offset } = await heard(one);
    await lose(all.speaker);
    await server.kill();
    await server.restart();
    all.speaker = await member(placeOf(one));
    await say({ room, speaker: all.speaker }, 2);
    const answer = await back(await elsewhere(placeOf(one), placeOf(all.speaker)), pid, offset);
    await assertBack(all, answer, [2]);
  });
});
