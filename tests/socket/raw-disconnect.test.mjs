// How sockets end, one by one and with their session, and what is said of it.

import { after, describe, test } from 'node:test';
import assert from 'node:assert/strict';
import { startServer } from '../harness/server.mjs';
import { socketBystanders } from '../harness/socket/bystanders.mjs';
import { freshNamespace, openMember } from '../harness/socket/client.mjs';
import { eachWay } from '../harness/socket/ways.mjs';
import { sleeping } from '../harness/target.mjs';

const server = await startServer();
after(() => server.stop());

const { logs } = server;
const CLIENT = 'client namespace disconnect';
const SERVER = 'server namespace disconnect';

/** The log says once that this socket went, for this reason, with these rooms. */
async function assertGone({ id }, reason, rooms) {
  const gone = await logs.waitFor({ event: 'disconnected', socket: id });
  const going = await logs.waitFor({ event: 'disconnecting', socket: id });
  assert.match(gone.reason, reason instanceof RegExp ? reason : new RegExp(`^${reason}$`));
  assert.equal(going.reason, gone.reason);
  if (rooms) assert.deepEqual(going.rooms, rooms);
  assert.ok(logs.events.indexOf(going) < logs.events.indexOf(gone), 'disconnecting comes first');
  assert.equal(logs.find({ event: 'disconnected', socket: id }).length, 1);
}

/** The session lives, and this socket in it. */
async function assertHere(member) {
  assert.deepEqual(await member.ask('who'), [member.id, member.namespace]);
}

const rules = ({ revision, transport, asleep, member }) => {
  test('`1` with its namespace: the client leaves it, and no other', async () => {
    const chat = await member({ namespace: '/chat' });
    const custom = await chat.client.join('/custom');
    const root = await chat.client.join('/');
    await chat.ask('join', ['b', 'a']);
    await chat.client.send('1/chat,');
    await assertGone(chat, CLIENT, ['a', 'b']);
    await assertHere(custom);
    await assertHere(root);
    await custom.client.send('1/custom');
    await assertGone(custom, CLIENT, []);
    await assertHere(root);
  });

  test('`1` alone: the client leaves `/`, and no other', async () => {
    const root = await member();
    const chat = await root.client.join('/chat');
    await root.client.send('1');
    await assertGone(root, CLIENT);
    await assertHere(chat);
  });

  test('the last namespace leaves the session open: another can be joined', async () => {
    const root = await member();
    const { client } = root;
    await client.send('1');
    await assertGone(root, CLIENT);
    await client.send('0/chat,');
    assert.match(await client.next(), /^0\/chat,/);
  });

  test('who has left is not heard any more: its events close the session', async () => {
    const root = await member();
    const chat = await root.client.join('/chat');
    await chat.client.send('1/chat,');
    await assertGone(chat, CLIENT);
    await chat.client.try('2/chat,["message"]');
    assert.deepEqual(await chat.client.ended(), []);
    await assertGone(root, /^forced (server )?close$/);
  });

  test('the server disconnects a socket: `1` with its namespace, and the session stays', async () => {
    const chat = await member({ namespace: '/chat' });
    const root = await chat.client.join('/');
    await chat.ask('join', 'room');
    await chat.emit('leave-me');
    await chat.client.expect('1/chat,');
    await assertGone(chat, SERVER, ['room']);
    await assertHere(root);
    await root.emit('leave-me', false);
    await root.client.expect('1');
    await assertGone(root, SERVER);
    await chat.client.send('0/chat,');
    assert.match(await chat.client.next(), /^0\/chat,/);
  });

  test('the server disconnects the client: every socket goes, and the session with them', async () => {
    const chat = await member({ namespace: '/chat' });
    const root = await chat.client.join('/');
    await chat.emit('leave-me', true);
    for (const message of await chat.client.ended()) assert.ok(['1', '1/chat,'].includes(message), message);
    await assertGone(chat, /^(server namespace disconnect|forced server close)$/);
    await assertGone(root, /^(server namespace disconnect|forced server close|forced close)$/);
  });

  test('what the server sent before it disconnects arrives before that', async () => {
    const chat = await member({ namespace: '/chat' });
    await chat.client.send('2/chat,["burst",20]', '2/chat,["message",{"last":1}]', '2/chat,["leave-me",true]');
    const messages = await chat.client.ended();
    const events = messages.filter((message) => message.startsWith('2'));
    const numbers = Array.from({ length: 20 }, (_, index) => `2/chat,["n",${index}]`);
    assert.deepEqual(events, [...numbers, '2/chat,["message-back",{"last":1}]']);
  });

  test('a client that closes its session leaves every namespace', async () => {
    const others = await socketBystanders(server, { revision, asleep });
    const chat = await member({ namespace: '/chat' });
    const root = await chat.client.join('/');
    await chat.ask('join', 'room');
    await chat.client.close();
    await assertGone(chat, 'transport close', ['room']);
    await assertGone(root, 'transport close', []);
    await others.check();
    await others.leave();
  });

  test('who is gone is in no room, and is told nothing', async () => {
    const namespace = freshNamespace();
    const witness = await member({ namespace });
    const goes = await member({ namespace });
    await goes.ask('join', 'room');
    await goes.client.send(`1${namespace},`);
    await assertGone(goes, CLIENT);
    assert.deepEqual(await witness.ask('fetch', { from: 'server' }), [[[witness.id, [], { name: null }]]]);
    assert.deepEqual(await witness.ask('cast', { to: ['room', goes.id] }, 'x'), ['ok']);
    assert.deepEqual(await witness.ask('direct', goes.id, 'x'), ['ok']);
    const root = await goes.client.join('/');
    await root.nothing();
  });

  if (transport === 'websocket') {
    test('a connection that breaks ends every socket of the client', async () => {
      const chat = await member({ namespace: '/chat' });
      const root = await chat.client.join('/');
      await chat.ask('join', 'room');
      await root.ask('join', 'other room');
      await chat.client.lose();
      await assertGone(chat, /^transport (close|error)$/, ['room']);
      await assertGone(root, /^transport (close|error)$/, ['other room']);
    });

    // While the application hears of one socket, the others must not be found again.
    test('none of them is there any more', sleeping, async () => {
      const namespaces = [freshNamespace(), freshNamespace()];
      const goes = await member({ namespace: namespaces[0] });
      const sockets = [goes, await goes.client.join(namespaces[1])];
      const witnesses = await Promise.all(namespaces.map((namespace) => member({ namespace })));
      await server.sleep(goes.client.sid);
      await goes.client.lose();
      for (const socket of sockets) await assertGone(socket, /^transport (close|error)$/, []);
      for (const witness of witnesses) {
        assert.deepEqual(await witness.ask('fetch', { from: 'server' }), [[[witness.id, [], { name: null }]]]);
      }
    });
  }
};

eachWay(server, rules, { revisions: [3, 4] });

describe('a client that goes silent, at 400 ms + 600 ms', { concurrency: true }, () => {
  for (const [revision, transport] of [[3, 'websocket'], [4, 'websocket'], [3, 'polling'], [4, 'polling']]) {
    test(`revision ${revision}, ${transport}: every socket goes with "ping timeout"`, async () => {
      const namespace = '/chat';
      const chat = await openMember(server, { path: '/socket.io/', revision, transport, namespace });
      const root = await chat.client.join('/');
      await assertGone(chat, 'ping timeout');
      await assertGone(root, 'ping timeout');
    });
  }
});
