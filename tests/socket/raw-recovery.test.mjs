// Connection state recovery: offsets, and what a client is told that comes back.
// Who is not let back: raw-recovery-refused.test.mjs.

import { after, describe, test } from 'node:test';
import assert from 'node:assert/strict';
import { startServer } from '../harness/server.mjs';
import { freshNamespace, openClient, openMember } from '../harness/socket/client.mjs';
import { encodePacket } from '../harness/socket/packet.mjs';
import { assertFresh, comeBack, heard, lose, ticket } from '../harness/socket/recovery.mjs';
import { emitFromElsewhere } from '../harness/socket/routes.mjs';
import { eachWay } from '../harness/socket/ways.mjs';
import { differs, target, workerOnly } from '../harness/target.mjs';

const server = await startServer();
after(() => server.stop());

const { logs } = server;
const path = '/recovery/';

const offsets = ({ open, member, asleep }) => {
  test('the answer to CONNECT has a `pid` beside the `sid`, in each namespace its own', async () => {
    const client = await open();
    await client.send('0/chat,');
    const answer = await client.next();
    assert.match(answer, /^0\/chat,\{"sid":"[^"]+","pid":"[^"]+"\}$/);
    const { sid, pid } = JSON.parse(answer.slice('0/chat,'.length));
    const root = await client.join('/');
    assert.equal(new Set([sid, pid, root.id, root.pid, client.sid]).size, 5);
  });

  test('every event has one more argument, its offset, and none has the same', async () => {
    const player = await member();
    const [name, told, first] = player.greeting;
    assert.deepEqual([name, told], ['welcome', { recovered: false }]);
    const seen = new Set([first]);
    for (const args of [[], ['text'], [{ a: 1 }, null]]) {
      await player.emit('message', ...args);
      const event = await heard(player);
      assert.deepEqual(event.args, ['message-back', ...args]);
      seen.add(event.offset);
    }
    await player.emit('message', Buffer.of(1), 'x');
    const binary = await heard(player);
    assert.deepEqual(binary.args, ['message-back', Buffer.of(1), 'x']);
    seen.add(binary.offset);
    assert.equal(seen.size, 5);
  });

  test('an acknowledgement has none, nor has an event that asks for one', async () => {
    const player = await member({ namespace: '/chat' });
    assert.deepEqual(await player.ask('message-with-ack', 1), [1]);
    if (asleep) return; // A question keeps its object awake.
    await player.emit('emit-with-ack', 1);
    // This would not take an offset for nothing.
    const id = await player.asked('emit-with-ack', 1);
    await player.answer(id);
    await heard(player);
  });

  // Stock clients take the last text of any event for an offset: so ours has that of
  // the last event before it, whoever that was for.
  test('a volatile event has none of its own', async () => {
    const namespace = freshNamespace();
    const [one, other] = [await member({ namespace }), await member({ namespace })];
    await other.client.listen();
    await one.ask('cast', { volatile: true }, 'v', 1);
    const [name, value, ...more] = (await other.client.packet()).data;
    assert.deepEqual([name, value], ['v', 1]);
    assert.deepEqual(more.map((offset) => typeof offset), target === 'reference' ? [] : ['string']);
  });

  test('a broadcast has the same one for everybody', async () => {
    const namespace = freshNamespace();
    const others = [await member({ namespace }), await member({ namespace, transport: 'polling' })];
    const one = await member({ namespace });
    await one.ask('cast', {}, 'x', 1);
    const events = await Promise.all(others.map(heard));
    assert.deepEqual(events[0].args, ['x', 1]);
    assert.deepEqual(events[1], events[0]);
  });

  test('clients of protocol 4 get none', differs('sends them one as well'), async () => {
    const namespace = freshNamespace();
    const old = await member({ namespace, revision: 3 });
    const one = await member({ namespace });
    await one.ask('cast', {}, 'x', 1);
    await old.expect('x', 1);
  });
};

const recovering = ({ open, member }) => {
  /** Two in one namespace: one that goes away with what it holds, and one that stays. */
  const pair = async () => {
    const namespace = freshNamespace();
    const goes = await member({ namespace });
    const stays = await member({ namespace });
    await goes.ask('join', ['room', 'other room']);
    await goes.ask('set-data', { name: 'ada', level: 7 });
    return { namespace, goes, stays, holds: await ticket(goes) };
  };

  test('who comes back has id, pid, rooms and data again', async () => {
    const { namespace, goes, holds } = await pair();
    await lose(server, goes);
    const back = await comeBack(open, namespace, holds);
    assert.deepEqual([back.sid, back.pid, back.missed], [goes.id, goes.pid, []]);
    assert.deepEqual(await back.member.ask('rooms'), [['other room', 'room']]);
    assert.deepEqual(await back.member.ask('get-data'), [{ name: 'ada', level: 7 }]);
    assert.equal(logs.find({ event: 'connected', socket: goes.id, recovered: true }).length, 1);
  });

  // A client that has received nothing has no offset to name.
  test('who was sent nothing before comes back without an offset', differs('starts over'), async () => {
    const goes = await member({ namespace: '/chat' });
    await lose(server, goes);
    const back = await comeBack(open, '/chat', { pid: goes.pid });
    assert.deepEqual([back.sid, back.pid, back.missed], [goes.id, goes.pid, []]);
  });

  test('the application learns of it, and its events come behind the answer', async () => {
    const root = await member();
    const holds = { pid: root.pid, offset: root.greeting.at(-1) };
    await lose(server, root);
    const back = await comeBack(open, '/', holds);
    assert.equal(back.sid, root.id);
    assert.deepEqual((await heard(back.member)).args, ['welcome', { recovered: true }]);
  });

  test('what it has missed comes before the answer, in order, and nothing else', async () => {
    const { namespace, goes, stays, holds } = await pair();
    await lose(server, goes);
    await stays.ask('cast', {}, 'to all', 1);
    await stays.ask('cast', { to: ['room'] }, 'to its room', { two: 2 });
    await stays.ask('cast', { to: ['elsewhere'] }, 'to another room');
    await stays.ask('cast', { to: ['room', 'other room'] }, 'to both');
    await stays.ask('cast', { except: ['room'] }, 'to all but the room');
    await stays.ask('cast', { to: ['room'], except: [goes.id] }, 'to all but it');
    await stays.ask('cast', { to: [goes.id] }, 'to it', 'é');
    await stays.ask('direct', goes.id, 'to it alone');
    await stays.ask('cast', { volatile: true }, 'volatile');
    await stays.ask('cast', { ack: true, timeout: 1 }, 'with an acknowledgement');
    await stays.ask('cast', { from: 'server', to: ['room'] }, 'bytes', Buffer.of(1, 2).toString());
    const back = await comeBack(open, namespace, holds);
    assert.equal(back.sid, goes.id);
    assert.deepEqual(back.missed.map((data) => data.slice(0, -1)), [
      ['to all', 1],
      ['to its room', { two: 2 }],
      ['to both'],
      ['to it', 'é'],
      ['to it alone'],
      ['bytes', '\u0001\u0002'],
    ]);
    assert.equal(new Set(back.missed.map((data) => data.at(-1))).size, 6);
    await back.member.nothing();
  });

  test('attachments of what it has missed come with it', async () => {
    const { namespace, goes, stays, holds } = await pair();
    await lose(server, goes);
    const cast = ['cast', {}, 'bytes', { a: [Buffer.of(1, 2)] }, Buffer.alloc(0), Buffer.alloc(5_000, 7)];
    await stays.client.send(...encodePacket(2, { namespace, data: cast }));
    await stays.ask('cast', {}, 'after');
    const back = await comeBack(open, namespace, holds);
    const [bytes, rest] = back.missed.map((data) => data.slice(0, -1));
    assert.deepEqual(bytes, ['bytes', { a: [Buffer.of(1, 2)] }, Buffer.alloc(0), Buffer.alloc(5_000, 7)]);
    assert.deepEqual(rest, ['after']);
  });

  test('the offset says where: the client may have heard less than it was sent', async () => {
    const { namespace, goes, stays, holds } = await pair();
    await stays.ask('cast', {}, 'a');
    await stays.ask('cast', {}, 'b');
    const { offset } = await heard(goes);
    await lose(server, goes);
    await stays.ask('cast', {}, 'c');
    const back = await comeBack(open, namespace, { pid: holds.pid, offset });
    assert.deepEqual(back.missed.map(([name]) => name), ['b', 'c']);
    await lose(server, back.member);
    const again = await comeBack(open, namespace, holds);
    assert.deepEqual(again.missed.map(([name]) => name), ['a', 'b', 'c']);
  });

  test('any number of times in a row, with and without something missed', async () => {
    const { namespace, goes, stays, holds } = await pair();
    let away = goes;
    let { offset } = holds;
    for (const count of [0, 1, 0, 2, 3]) {
      await lose(server, away);
      for (let index = 0; index < count; index += 1) await stays.ask('cast', { to: ['room'] }, 'n', index);
      const back = await comeBack(open, namespace, { pid: holds.pid, offset });
      assert.deepEqual([back.sid, back.pid], [goes.id, goes.pid]);
      assert.deepEqual(back.missed.map(([, index]) => index), [0, 1, 2].slice(0, count));
      if (count > 0) offset = back.missed.at(-1).at(-1);
      assert.deepEqual(await back.member.ask('rooms'), [['other room', 'room']]);
      away = back.member;
    }
  });

  test('rooms and data as they were at the last', async () => {
    const { namespace, goes, holds } = await pair();
    await goes.ask('leave', 'room');
    await goes.ask('join', 'late room');
    await goes.ask('set-data', ['new']);
    await lose(server, goes);
    const back = await comeBack(open, namespace, holds);
    assert.deepEqual(await back.member.ask('rooms'), [['late room', 'other room']]);
    assert.deepEqual(await back.member.ask('get-data'), [['new']]);
  });

  test('while it is away it is nowhere; when it is back it hears what is sent', async () => {
    const { namespace, goes, stays, holds } = await pair();
    await lose(server, goes);
    const ids = async () => (await stays.ask('fetch', { from: 'server' }))[0].map(([id]) => id);
    assert.deepEqual(await ids(), [stays.id]);
    const back = await comeBack(open, namespace, holds);
    assert.deepEqual((await ids()).toSorted(), [stays.id, goes.id].toSorted());
    await stays.ask('cast', { to: ['room'] }, 'live');
    assert.deepEqual((await heard(back.member)).args, ['live']);
  });

  test('after the client has closed its session, but left no namespace', async () => {
    const { namespace, goes, holds } = await pair();
    await goes.client.close();
    const { reason } = await logs.waitFor({ event: 'disconnected', socket: goes.id });
    assert.equal(reason, 'transport close');
    assert.equal((await comeBack(open, namespace, holds)).sid, goes.id);
  });

  test('what other parts of the Worker have sent meanwhile is missed too', async () => {
    const { namespace, goes, holds } = await pair();
    await lose(server, goes);
    await emitFromElsewhere(server, { path, namespace, to: 'room' }, 'from elsewhere', 'é', 1);
    const back = await comeBack(open, namespace, holds);
    assert.deepEqual(back.missed.map((data) => data.slice(0, -1)), [['from elsewhere', 'é', 1]]);
  });

  test('several who were away together', async () => {
    const { namespace, goes, stays, holds } = await pair();
    const other = await member({ namespace });
    const otherHolds = await ticket(other);
    await lose(server, goes);
    await lose(server, other);
    await stays.ask('cast', { to: ['room'] }, 'for one');
    await stays.ask('cast', {}, 'for both');
    const names = ({ missed }) => missed.map(([name]) => name);
    const [back, otherBack] = await Promise.all([
      comeBack(open, namespace, holds),
      comeBack(open, namespace, otherHolds),
    ]);
    assert.deepEqual([back.sid, names(back)], [goes.id, ['for one', 'for both']]);
    assert.deepEqual([otherBack.sid, names(otherBack)], [other.id, ['for both']]);
    assert.equal(back.missed.at(-1).at(-1), otherBack.missed.at(-1).at(-1));
  });

  test('by another transport', async () => {
    const { namespace, goes, holds } = await pair();
    await lose(server, goes);
    for (const transport of ['polling', 'websocket']) {
      const back = await comeBack(() => open({ transport }), namespace, holds);
      assert.equal(back.sid, goes.id);
      await lose(server, back.member);
    }
  });

  test('in each namespace by itself', async () => {
    const client = await open();
    const [one, other] = [await client.join(freshNamespace()), await client.join(freshNamespace())];
    await one.ask('join', 'room');
    const holds = await ticket(one);
    await lose(server, one);
    const back = await comeBack(open, one.namespace, holds);
    assert.equal(back.sid, one.id);
    const fresh = await back.member.client.join(other.namespace);
    assert.notEqual(fresh.id, other.id);
  });

  test('middlewares are not asked again', async () => {
    const guest = await member({ namespace: '/refuse', auth: { token: 'good' } });
    const holds = await ticket(guest);
    await lose(server, guest);
    const back = await comeBack(open, '/refuse', holds);
    assert.equal(back.sid, guest.id);
  });

  // A client that has lost its connection knows that before the server does.
  const waits = differs('takes it for somebody new until it knows of the loss');
  test('whose old connection the server thinks alive: the new one has it all', waits, async () => {
    const { namespace, goes, stays, holds } = await pair();
    let away = goes;
    for (const round of [1, 2, 3]) {
      const back = await comeBack(open, namespace, holds);
      assert.deepEqual([back.sid, back.pid], [goes.id, goes.pid]);
      assert.deepEqual(await back.member.ask('rooms'), [['other room', 'room']]);
      await logs.waitFor({ event: 'disconnected', socket: goes.id });
      assert.equal(logs.find({ event: 'disconnected', socket: goes.id }).length, round);
      // The old connection cannot speak for it any more.
      await away.client.try(...encodePacket(2, { namespace, data: ['cast', {}, 'from the dead'] }));
      assert.deepEqual(await away.client.ended(), []);
      await stays.nothing();
      away = back.member;
    }
  });

  test('a volatile event does not confuse what is missed', workerOnly, async () => {
    const { namespace, goes, stays, holds } = await pair();
    await stays.ask('cast', { to: ['room'] }, 'one');
    await stays.ask('cast', { to: ['room'] }, 'two');
    assert.deepEqual((await heard(goes)).args, ['one']);
    assert.deepEqual((await heard(goes)).args, ['two']);
    await goes.client.listen();
    await stays.ask('cast', { to: ['room'], volatile: true }, 'volatile');
    const { data } = await goes.client.packet();
    await lose(server, goes);
    await stays.ask('cast', { to: ['room'] }, 'three');
    const back = await comeBack(open, namespace, { pid: holds.pid, offset: data.at(-1) });
    assert.deepEqual(back.missed.map(([name]) => name), ['three']);
  });
};

describe('offsets', () => eachWay(server, offsets, { path }));
describe('coming back', () => eachWay(server, recovering, { path }));

// A row holds 2 MB on the platform, and half of `max_buffered` is 2 MiB.
describe('an event larger than a row', workerOnly, () => {
  const open = () => openClient(server, { path });
  const photo = (number) => Buffer.alloc(990_000, number);

  /** Two who are away, one of them in the room, and one who speaks. */
  const away = async () => {
    const namespace = freshNamespace();
    const member = () => openMember(server, { path, namespace });
    const [inside, outside, speaker] = [await member(), await member(), await member()];
    await inside.ask('join', 'room');
    const gone = [];
    for (const member of [inside, outside]) {
      gone.push({ member, holds: await ticket(member) });
      await lose(server, member);
    }
    return { namespace, inside: gone[0], outside: gone[1], speaker };
  };

  const tell = async ({ namespace, speaker }, photos) => {
    const data = ['cast', { to: ['room'] }, 'photos', ...photos];
    await speaker.client.send(...encodePacket(2, { namespace, data, id: 7 }));
    await speaker.client.packet();
    await speaker.ask('cast', {}, 'after');
  };

  test('is recovered', async () => {
    const all = await away();
    await tell(all, [photo(1), photo(2)]);
    const back = await comeBack(open, all.namespace, all.inside.holds);
    assert.equal(back.sid, all.inside.member.id);
    const [photos, after] = back.missed.map((data) => data.slice(0, -1));
    assert.deepEqual(photos, ['photos', photo(1), photo(2)]);
    assert.deepEqual(after, ['after']);
  });

  test('and than what a client can be sent at once: those it was for start over, nobody else', async () => {
    const all = await away();
    await tell(all, Array.from({ length: 9 }, (_, index) => photo(index)));
    await assertFresh(server, all.inside.member, await comeBack(open, all.namespace, all.inside.holds));
    const back = await comeBack(open, all.namespace, all.outside.holds);
    assert.equal(back.sid, all.outside.member.id);
    assert.deepEqual(back.missed.map((data) => data.slice(0, -1)), [['after']]);
  });
});
