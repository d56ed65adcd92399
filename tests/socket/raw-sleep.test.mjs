// Objects that sleep, and objects that are cut off from their clients: what
// survives, beyond what the other tests do asleep.

import { after, describe, test } from 'node:test';
import assert from 'node:assert/strict';
import { startServer } from '../harness/server.mjs';
import { freshNamespace, openClient, openMember } from '../harness/socket/client.mjs';
import { encodePacket } from '../harness/socket/packet.mjs';
import { comeBack, heard, ticket } from '../harness/socket/recovery.mjs';
import { emitFromElsewhere } from '../harness/socket/routes.mjs';
import { sleeping } from '../harness/target.mjs';

const server = await startServer();
after(() => server.stop());

const { logs } = server;
const one = { concurrency: 1, ...sleeping };

// It takes 45 s, so it begins here and is looked at in the end.
let unjoined;
test('a client that joins nothing falls asleep', sleeping, async () => {
  unjoined = await openClient(server, { path: '/msgpack/' });
  assert.equal(await server.sleep(unjoined.sid), true);
});

for (const revision of [3, 4]) {
  describe(`revision ${revision}, asleep`, one, () => {
    const member = (options) => openMember(server, { revision, ...options });

    test('a room hears what comes from elsewhere, text and bytes', async () => {
      const namespace = freshNamespace();
      const [player, other] = [await member({ namespace }), await member({ namespace })];
      await player.ask('join', 'room');
      assert.equal(await server.sleep(player.client.sid), true);
      await emitFromElsewhere(server, { path: '/io/', namespace, to: 'room' }, 'news', 1);
      await player.expect('news', 1);
      await server.sleep(player.client.sid);
      const cast = ['cast', { to: ['room'] }, 'bytes', Buffer.of(1, 2)];
      await other.client.send(...encodePacket(2, { namespace, data: cast }));
      await player.expect('bytes', Buffer.of(1, 2));
    });

    test('forty sockets of ten clients are told apart', async () => {
      const members = [];
      const namespaces = Array.from({ length: 4 }, freshNamespace);
      for (let index = 0; index < 10; index += 1) {
        const client = await openClient(server, { revision });
        for (const namespace of namespaces) {
          const player = await client.join(namespace);
          await player.ask('join', [`room ${index}`, 'all']);
          await player.ask('set-data', { index, namespace });
          members.push(player);
        }
      }
      await server.sleep(members[0].client.sid);
      for (const [place, player] of members.entries()) {
        const index = Math.floor(place / namespaces.length);
        assert.deepEqual(await player.ask('get-data'), [{ index, namespace: player.namespace }]);
        assert.deepEqual(await player.ask('rooms'), [['all', `room ${index}`]]);
      }
    });

    test('a connection that breaks in its sleep: the log has its rooms', async () => {
      const player = await member({ namespace: '/chat' });
      await player.ask('join', ['b', 'a']);
      await server.sleep(player.client.sid);
      await player.client.lose();
      const { rooms, reason } = await logs.waitFor({ event: 'disconnecting', socket: player.id });
      assert.deepEqual(rooms, ['a', 'b']);
      assert.match(reason, /^transport (close|error)$/);
    });

    test('an acknowledgement for a question from before the sleep answers nothing', async () => {
      const player = await member({ namespace: freshNamespace() });
      await player.client.send(`2${player.prefix}9["ask",20,"old"]`);
      const old = await player.asked('question', 'old');
      await player.client.expect(`3${player.prefix}9["timeout"]`);
      await server.sleep(player.client.sid);
      await player.emit('emit-with-ack', 'new');
      const id = await player.asked('emit-with-ack', 'new');
      assert.notEqual(id, old);
      await player.answer(old, 'late');
      await player.nothing();
      await player.answer(id, 'in time');
      await player.expect('emit-with-ack', 'in time');
    });

    test('a question keeps its object awake, until its time is over at most', async () => {
      const player = await member({ namespace: freshNamespace() });
      await player.client.send(`2${player.prefix}9["ask",200]`);
      await player.asked('question');
      const asleep = server.sleep(player.client.sid);
      await player.client.expect(`3${player.prefix}9["timeout"]`);
      assert.equal(await asleep, true);
    });

    test('a slow handler does not outlast its sleep unnoticed: it is answered', async () => {
      const player = await member({ namespace: freshNamespace() });
      await player.client.send(`2${player.prefix}9["slow",100,"done"]`);
      const asleep = server.sleep(player.client.sid);
      await player.client.expect(`3${player.prefix}9["done"]`);
      await asleep;
    });
  });
}

describe('recovery, asleep and cut', one, () => {
  const path = '/recovery/';
  const open = (options) => openClient(server, { path, ...options });

  const company = async () => {
    const namespace = freshNamespace();
    const player = await openMember(server, { path, namespace });
    await player.ask('join', ['room', 'other room']);
    await player.ask('set-data', { level: 7 });
    return { namespace, player, holds: await ticket(player) };
  };

  const assertBack = async (player, back, missed) => {
    assert.deepEqual([back.sid, back.pid], [player.id, player.pid]);
    assert.deepEqual(back.missed.map((data) => data.slice(0, -1)), missed);
    assert.deepEqual(await back.member.ask('rooms'), [['other room', 'room']]);
    assert.deepEqual(await back.member.ask('get-data'), [{ level: 7 }]);
  };

  test('lost, then the object sleeps, then something is missed, then it sleeps again', async () => {
    const { namespace, player, holds } = await company();
    await player.client.lose();
    await logs.waitFor({ event: 'disconnected', socket: player.id });
    await server.sleep(player.client.sid);
    await emitFromElsewhere(server, { path, namespace, to: 'room' }, 'missed', 1);
    await server.sleep(player.client.sid);
    await emitFromElsewhere(server, { path, namespace, to: 'elsewhere' }, 'not for it', 2);
    await emitFromElsewhere(server, { path, namespace }, 'missed', 3);
    await server.sleep(player.client.sid);
    await assertBack(player, await comeBack(open, namespace, holds), [['missed', 1], ['missed', 3]]);
  });

  test('cut: every client comes back to what it was', async () => {
    const { namespace, player, holds } = await company();
    const other = await openMember(server, { path, namespace });
    const otherHolds = await ticket(other);
    // What an acknowledgement tells of is stored.
    await other.ask('set-data', 1);
    await server.cut(player.client.sid);
    assert.deepEqual(await player.client.ended(), []);
    await assertBack(player, await comeBack(open, namespace, holds), []);
    const back = await comeBack(open, namespace, otherHolds);
    assert.deepEqual([back.sid, await back.member.ask('rooms')], [other.id, [[]]]);
    assert.deepEqual(await back.member.ask('cast', { to: ['room'] }, 'again'), ['ok']);
  });

  test('cut before it was stored: a client starts over, and nothing is lost silently', async () => {
    const namespace = freshNamespace();
    const player = await openMember(server, { path, namespace });
    const holds = await ticket(player);
    await server.cut(player.client.sid);
    await player.client.ended();
    const back = await comeBack(open, namespace, holds);
    assert.notEqual(back.sid, player.id);
    assert.deepEqual([back.missed, await back.member.ask('rooms')], [[], [[]]]);
  });

  test('cut, again and again, with something missed each time', async () => {
    const { namespace, player, holds } = await company();
    let away = player;
    for (let round = 0; round < 4; round += 1) {
      await server.cut(away.client.sid);
      await away.client.ended();
      await emitFromElsewhere(server, { path, namespace, to: 'room' }, 'round', round);
      const back = await comeBack(open, namespace, holds);
      await assertBack(player, back, [['round', round]]);
      holds.offset = back.missed.at(-1).at(-1);
      away = back.member;
    }
  });

  test('cut with bytes on their way', async () => {
    const { namespace, player, holds } = await company();
    const other = await openMember(server, { path, namespace });
    await player.client.lose();
    await logs.waitFor({ event: 'disconnected', socket: player.id });
    const cast = ['cast', { to: ['room'] }, 'bytes', Buffer.of(1, 2, 3), { deep: [Buffer.alloc(0)] }];
    await other.client.send(...encodePacket(2, { namespace, id: 1, data: cast }));
    await other.client.expect(`3${other.prefix}1["ok"]`);
    await server.cut(other.client.sid);
    const back = await comeBack(open, namespace, holds);
    await assertBack(player, back, [['bytes', Buffer.of(1, 2, 3), { deep: [Buffer.alloc(0)] }]]);
  });

  test('cut while it was away already', async () => {
    const { namespace, player, holds } = await company();
    await player.client.lose();
    await logs.waitFor({ event: 'disconnected', socket: player.id });
    await server.cut(player.client.sid);
    await assertBack(player, await comeBack(open, namespace, holds), []);
  });

  test('what is sent after a cut has offsets of its own', async () => {
    const { namespace, player, holds } = await company();
    await server.cut(player.client.sid);
    const back = await comeBack(open, namespace, holds);
    await back.member.emit('message', 'after');
    const { args, offset } = await heard(back.member);
    assert.deepEqual(args, ['message-back', 'after']);
    assert.notEqual(offset, holds.offset);
  });

  test('forged after a cut: somebody new', async () => {
    const { namespace, player, holds } = await company();
    await server.cut(player.client.sid);
    for (const forged of [{ ...holds, pid: player.id }, { ...holds, offset: '9'.repeat(18) }]) {
      const back = await comeBack(open, namespace, forged);
      assert.notEqual(back.sid, player.id);
      assert.deepEqual(await back.member.ask('rooms'), [[]]);
    }
    await assertBack(player, await comeBack(open, namespace, holds), []);
  });

  test('without recovery, a cut ends everything, and a new beginning works', async () => {
    const namespace = freshNamespace();
    const player = await openMember(server, { path: '/io/', namespace });
    await player.ask('join', 'room');
    await server.cut(player.client.sid);
    await player.client.ended();
    const again = await openMember(server, { path: '/io/', namespace });
    assert.notEqual(again.id, player.id);
    assert.deepEqual(await again.ask('fetch', { from: 'server' }), [[[again.id, [], { name: null }]]]);
  });
});

test('the client that joined nothing is closed in its sleep', sleeping, async () => {
  await assert.rejects(unjoined.next('end of the session', 60_000), /closed/);
});
