// Rooms, and every way to choose who hears an event.

import { after, describe, test } from 'node:test';
import assert from 'node:assert/strict';
import { startServer } from '../harness/server.mjs';
import { freshNamespace, openClient } from '../harness/socket/client.mjs';
import { eachWay } from '../harness/socket/ways.mjs';
import { workerOnly } from '../harness/target.mjs';

const server = await startServer();
after(() => server.stop());

const rules = ({ member }) => {
  /** Members of one namespace of their own, each with its rooms. */
  const company = async (...rooms) => {
    const namespace = freshNamespace();
    const members = [];
    for (const names of rooms) {
      const one = await member({ namespace });
      if (names.length > 0) await one.ask('join', names);
      members.push(one);
    }
    return members;
  };

  /** The first member casts; exactly these hear it, once. */
  const heard = async (members, operators, expected) => {
    assert.deepEqual(await members[0].ask('cast', operators, 'x', 1), ['ok']);
    for (const [index, one] of members.entries()) {
      if (expected.includes(index) && index > 0) await one.expect('x', 1);
      if (index > 0) await one.nothing();
    }
  };

  /** The same from the server: the first member is one like any other. */
  const heardOfServer = async (members, operators, expected) => {
    const [first, ...others] = members;
    const [namespace, prefix] = [first.namespace, first.prefix];
    const cast = JSON.stringify(['cast', { from: 'server', ...operators }, 'x', namespace]);
    await first.client.send(`2${prefix}5${cast}`);
    if (expected.includes(0)) await first.expect('x', namespace);
    await first.client.expect(`3${prefix}5["ok"]`);
    for (const [index, one] of others.entries()) {
      if (expected.includes(index + 1)) await one.expect('x', namespace);
      await one.nothing();
    }
  };

  test('joining and leaving: one, many, twice, and what was never joined', async () => {
    const player = await member({ namespace: freshNamespace() });
    assert.deepEqual(await player.ask('rooms'), [[]]);
    assert.deepEqual(await player.ask('join', 'b'), [['b']]);
    assert.deepEqual(await player.ask('join', ['c', 'a']), [['a', 'b', 'c']]);
    assert.deepEqual(await player.ask('join', 'a'), [['a', 'b', 'c']]);
    assert.deepEqual(await player.ask('leave', 'a'), [['b', 'c']]);
    assert.deepEqual(await player.ask('leave', 'a'), [['b', 'c']]);
    assert.deepEqual(await player.ask('leave', 'never'), [['b', 'c']]);
    assert.deepEqual(await player.ask('rooms'), [['b', 'c']]);
  });

  test('names of rooms are any text', async () => {
    const names = ['', ' ', ',', '/chat', 'é 🦔', '__proto__', '0', '["x"]', 'x'.repeat(1_000)];
    const [one, other] = await company([], names);
    assert.deepEqual(await other.ask('rooms'), [names.toSorted()]);
    for (const name of names) {
      assert.deepEqual(await one.ask('cast', { to: [name] }, 'x', name), ['ok']);
      await other.expect('x', name);
    }
    await other.nothing();
  });

  test('every socket is in the room of its own id', async () => {
    const members = await company([], [], []);
    await heard(members, { to: [members[1].id] }, [1]);
    await heardOfServer(members, { to: [members[0].id] }, [0]);
    assert.deepEqual(await members[0].ask('direct', members[2].id, 'x'), ['ok']);
    await members[2].expect('x');
  });

  test('to a room, from a socket: all in it but itself', async () => {
    await heard(await company(['a'], ['a'], [], ['a', 'b']), { to: ['a'] }, [1, 3]);
  });

  test('to a room, from the server: all in it', async () => {
    await heardOfServer(await company(['a'], ['a'], [], ['a', 'b']), { to: ['a'] }, [0, 1, 3]);
  });

  test('to several rooms: who is in more than one hears it once', async () => {
    const members = await company(['a'], ['a', 'b'], ['b'], ['c'], []);
    await heard(members, { to: ['a', 'b'] }, [1, 2]);
    await heard(members, { to: ['a'], in: ['c', 'b'] }, [1, 2, 3]);
    await heardOfServer(members, { in: ['a', 'b', 'nowhere'] }, [0, 1, 2]);
  });

  test('except some: rooms, and sockets by id', async () => {
    const members = await company(['a'], ['a', 'b'], ['a'], ['b'], []);
    await heard(members, { to: ['a'], except: ['b'] }, [2]);
    await heard(members, { except: ['b'] }, [2, 4]);
    await heard(members, { to: ['a', 'b'], except: [members[1].id] }, [2, 3]);
    await heardOfServer(members, { except: ['a'] }, [3, 4]);
    await heardOfServer(members, { to: ['a'], except: [members[0].id, 'b', 'nowhere'] }, [2]);
  });

  test('to everybody: from a socket without itself, from the server with it', async () => {
    const members = await company([], [], ['a']);
    await heard(members, { broadcast: true }, [1, 2]);
    await heardOfServer(members, {}, [0, 1, 2]);
  });

  test('to nobody', async () => {
    const members = await company(['a'], [], ['a']);
    await heard(members, { to: ['nowhere'] }, []);
    await heard(members, { to: ['a'], except: ['a'] }, []);
    await heardOfServer(members, { to: ['nowhere'] }, []);
  });

  test('local, and compressed or not: who is here hears it', async () => {
    const members = await company([], ['a'], []);
    await heard(members, { local: true }, [1, 2]);
    await heard(members, { local: true, to: ['a'] }, [1]);
    await heard(members, { compress: false }, [1, 2]);
    await heard(members, { compress: true }, [1, 2]);
  });

  test('the same room in two namespaces is two rooms', async () => {
    const [one, other] = await company(['a'], ['a']);
    const [elsewhere] = await company(['a']);
    const both = await other.client.join(elsewhere.namespace);
    await both.ask('join', 'a');
    assert.deepEqual(await one.ask('cast', { to: ['a'] }, 'x'), ['ok']);
    await other.expect('x');
    await elsewhere.nothing();
    await both.nothing();
    assert.deepEqual(await elsewhere.ask('cast', { to: ['a'] }, 'y'), ['ok']);
    await both.expect('y');
    await one.nothing();
  });

  test('who leaves a room hears no more of it', async () => {
    const members = await company([], ['a'], ['a']);
    await heard(members, { to: ['a'] }, [1, 2]);
    await members[1].ask('leave', 'a');
    await heard(members, { to: ['a'] }, [2]);
  });

  test('many events to many keep their order for each', async () => {
    const [one, ...others] = await company([], ['a'], ['a']);
    for (let index = 0; index < 30; index += 1) await one.emit('cast', { to: ['a'] }, 'n', index);
    for (const other of others) {
      for (let index = 0; index < 30; index += 1) await other.expect('n', index);
      await other.nothing();
    }
  });

  test('fetching: id, rooms, data of each', async () => {
    const members = await company(['a'], ['a', 'b'], []);
    await members[1].ask('set-data', { level: 7 });
    const told = ({ id }, rooms, data = { name: null }) => [id, rooms, data];
    const all = [told(members[0], ['a']), told(members[1], ['a', 'b'], { level: 7 }), told(members[2], [])];
    const byText = (one, other) => (JSON.stringify(one) < JSON.stringify(other) ? -1 : 1);
    const fetched = async (operators) => (await members[0].ask('fetch', operators))[0];
    assert.deepEqual(await fetched({ from: 'server' }), all.toSorted(byText));
    assert.deepEqual(await fetched({ from: 'server', to: ['b'] }), [all[1]]);
    assert.deepEqual(await fetched({ from: 'server', to: ['a'], except: ['b'] }), [all[0]]);
    assert.deepEqual(await fetched({ to: ['a'] }), [all[1]]);
    assert.deepEqual(await fetched({ to: ['nowhere'] }), []);
  });

  test('making others join and leave', async () => {
    const members = await company([], ['a'], ['a', 'b'], []);
    assert.deepEqual(await members[0].ask('make-join', { to: ['a'] }, 'new'), ['ok']);
    await heard(members, { to: ['new'] }, [1, 2]);
    assert.deepEqual(await members[0].ask('make-leave', { to: ['b'] }, 'new'), ['ok']);
    await heard(members, { to: ['new'] }, [1]);
    assert.deepEqual(await members[1].ask('rooms'), [['a', 'new']]);
    assert.deepEqual(await members[0].ask('make-join', { from: 'server' }, 'all'), ['ok']);
    await heardOfServer(members, { to: ['all'] }, [0, 1, 2, 3]);
  });

  test('closing a room: nobody is in it any more', async () => {
    const members = await company([], ['a', 'b'], ['a']);
    assert.deepEqual(await members[0].ask('close-room', 'a'), ['ok']);
    await heard(members, { to: ['a'] }, []);
    assert.deepEqual(await members[1].ask('rooms'), [['b']]);
    assert.deepEqual(await members[0].ask('close-room', 'nowhere'), ['ok']);
  });

  test('disconnecting others from the namespace: their sessions stay', async () => {
    const members = await company([], ['a'], []);
    assert.deepEqual(await members[0].ask('make-disconnect', { to: ['a'] }), ['ok']);
    await members[1].client.expect(`1${members[1].prefix}`);
    await members[2].nothing();
    const root = await members[1].client.join('/');
    await root.nothing();
  });

  test('disconnecting others with their sessions', async () => {
    const members = await company([], ['a'], []);
    assert.deepEqual(await members[0].ask('make-disconnect', { to: ['a'] }, true), ['ok']);
    for (const message of await members[1].client.ended()) assert.match(message, /^1/);
    await members[2].nothing();
    await members[0].nothing();
  });

  test('a volatile event arrives where the transport is ready', async () => {
    const [one, other] = await company([], ['a']);
    await other.client.listen();
    assert.deepEqual(await one.ask('cast', { to: ['a'], volatile: true }, 'v', 1), ['ok']);
    await other.expect('v', 1);
  });
};

eachWay(server, rules, { revisions: [3, 4] });

describe('a volatile event', { concurrency: true }, () => {
  for (const revision of [3, 4]) {
    test(`revision ${revision}: is dropped where a client does not poll, and no other is`, async () => {
      const namespace = freshNamespace();
      const [one, other] = await Promise.all(
        ['websocket', 'polling'].map(async (transport) => {
          const client = await openClient(server, { revision, transport });
          return client.join(namespace);
        }),
      );
      for (const volatile of [true, false, true]) {
        assert.deepEqual(await one.ask('cast', { volatile }, 'v', { volatile }), ['ok']);
      }
      await other.expect('v', { volatile: false });
      await other.nothing();
    });
  }
});

describe('bounds', workerOnly, () => {
  test('50 rooms for a socket, besides its own: one more is refused, and nothing else', async () => {
    const client = await openClient(server);
    const player = await client.join(freshNamespace());
    const names = Array.from({ length: 50 }, (_, index) => `room ${100 + index}`);
    await player.ask('join', names.slice(0, 49));
    assert.deepEqual(await player.ask('join', names[49]), [names]);
    const [{ error }] = await player.ask('join', 'one more');
    assert.equal(typeof error, 'string');
    assert.deepEqual(await player.ask('join', names[0]), [names]);
    assert.deepEqual((await player.ask('leave', names[0]))[0].length, 49);
    assert.deepEqual((await player.ask('join', 'one more'))[0].length, 50);
  });

  test('20 namespaces for a client: one more is refused, and nothing else', async () => {
    for (const revision of [3, 4]) {
      const client = await openClient(server, { revision });
      const root = await client.join('/');
      const names = [];
      while (names.length < 19) names.push(freshNamespace());
      for (const name of names) await client.join(name);
      const json = revision === 3 ? '"Too many namespaces"' : '{"message":"Too many namespaces"}';
      await client.send('0/chat,');
      await client.expect(`4/chat,${json}`);
      await root.nothing();
      await client.send(`1${names[0]},`);
      await client.join('/chat');
    }
  });
});
