// Connection state recovery: who is not let back. No session may be taken over
// by a guess.

import { after, describe, test } from 'node:test';
import assert from 'node:assert/strict';
import { pass } from '../harness/delays.mjs';
import { startServer } from '../harness/server.mjs';
import { freshNamespace, openClient, openMember } from '../harness/socket/client.mjs';
import { assertFresh, comeBack, lose, ticket } from '../harness/socket/recovery.mjs';
import { eachWay } from '../harness/socket/ways.mjs';
import { differs } from '../harness/target.mjs';

const server = await startServer();
after(() => server.stop());

const { logs } = server;
const path = '/recovery/';
/** How long /recovery-short/ remembers a client, in milliseconds, and well beyond that. */
const WINDOW = 1_000;
const TOO_LATE = WINDOW + 300;

const notRecovering = ({ open, member }) => {
  /** One that left as `leave` says, and comes back as somebody new. */
  const freshAfter = async (leave) => {
    const namespace = freshNamespace();
    const goes = await member({ namespace });
    await goes.ask('join', 'room');
    const holds = await ticket(goes);
    await leave(goes);
    await logs.waitFor({ event: 'disconnected', socket: goes.id });
    await assertFresh(server, goes, await comeBack(open, namespace, holds));
  };

  test('not after the client has left the namespace', () =>
    freshAfter((goes) => goes.client.send(`1${goes.namespace},`)));

  test('not after the server has disconnected the socket', () =>
    freshAfter(async (goes) => {
      await goes.emit('leave-me');
      await goes.client.expect(`1${goes.namespace},`);
    }));

  test('not after the server has disconnected the client', () =>
    freshAfter((goes) => goes.emit('leave-me', true)));

  const keeps = differs('does not tell it from a lost connection');
  test('not after a packet that is none', keeps, () => freshAfter((goes) => goes.client.try('2[')));

  const forgeries = {
    'a pid that nobody has': { pid: 'x'.repeat(20) },
    'an empty pid': { pid: '' },
    'a pid that is a number': { pid: 1 },
    'a pid that is an object': { pid: { $ne: null } },
    'a pid that is very long': { pid: 'A'.repeat(100_000) },
    'an offset that was never given': { offset: 'x'.repeat(7) },
    'an empty offset': { offset: '' },
    'an offset that is a number': { offset: 1 },
    'an offset below zero': { offset: '-1' },
    'an offset from the future': { offset: '9007199254740993' },
    'an offset beyond all numbers': { offset: '9'.repeat(100) },
    'an offset that is an object': { offset: [] },
  };
  for (const [name, forgery] of Object.entries(forgeries)) {
    test(`${name}: somebody new`, async () => {
      const namespace = freshNamespace();
      const goes = await member({ namespace });
      await goes.ask('join', 'room');
      const holds = await ticket(goes);
      await lose(server, goes);
      await assertFresh(server, goes, await comeBack(open, namespace, { ...holds, ...forgery }));
      const back = await comeBack(open, namespace, holds);
      assert.equal(back.sid, goes.id, 'the right one still comes back');
    });
  }

  test('what others know of a socket opens nothing: its id, its session, its pid in part', async () => {
    const namespace = freshNamespace();
    const goes = await member({ namespace });
    await goes.ask('join', 'room');
    const { pid, offset } = await ticket(goes);
    await lose(server, goes);
    const guesses = [goes.id, goes.client.sid, pid.slice(0, -1), `${pid}A`, ` ${pid}`, pid.toLowerCase(), `${pid}\u0000`];
    for (const guess of guesses.filter((guess) => guess !== pid)) {
      await assertFresh(server, goes, await comeBack(open, namespace, { pid: guess, offset }));
    }
  });

  test('the pid of another namespace opens nothing', async () => {
    const goes = await member({ namespace: freshNamespace() });
    await goes.ask('join', 'room');
    const holds = await ticket(goes);
    await lose(server, goes);
    await assertFresh(server, goes, await comeBack(open, freshNamespace(), holds));
  });

  test('a guess does nothing to somebody who is connected', async () => {
    const namespace = freshNamespace();
    const owner = await member({ namespace });
    await owner.ask('join', 'room');
    const { offset } = await ticket(owner);
    for (const pid of [owner.id, owner.client.sid, owner.pid.slice(0, -1)]) {
      await assertFresh(server, owner, await comeBack(open, namespace, { pid, offset }));
    }
    assert.deepEqual(await owner.ask('who'), [owner.id, namespace]);
    assert.deepEqual(await owner.ask('rooms'), [['room']]);
  });

  test('who is somebody new must pass the middlewares', async () => {
    const client = await open();
    await client.send('0/refuse,{"pid":"forged","offset":"0"}');
    await client.expect('4/refuse,{"message":"not authorized"}');
  });

  test('without recovery a pid means nothing', async () => {
    const client = await open({ path: '/io/' });
    await client.send('0/chat,{"pid":"a","offset":"b"}');
    assert.match(await client.next(), /^0\/chat,\{"sid":"[^"]+"\}$/);
  });
};

eachWay(server, notRecovering, { path });

describe('who comes back too late, here after one second', { concurrency: true }, () => {
  const open = (options) => openClient(server, { path: '/recovery-short/', ...options });

  for (const transport of ['websocket', 'polling']) {
    test(`${transport}: is somebody new, and has missed nothing`, async () => {
      const namespace = freshNamespace();
      const options = { path: '/recovery-short/', namespace, transport };
      const [goes, stays] = [await openMember(server, options), await openMember(server, options)];
      await goes.ask('join', 'room');
      const holds = await ticket(goes);
      await lose(server, goes);
      await stays.ask('cast', { to: ['room'] }, 'missed');
      await pass(TOO_LATE);
      await assertFresh(server, goes, await comeBack(open, namespace, holds));
    });
  }

  test('a client of protocol 4 is always somebody new', async () => {
    const old = await openMember(server, { path, revision: 3, namespace: '/chat' });
    await old.ask('join', 'room');
    await old.emit('message', 1);
    await old.client.packet();
    const { offset } = await ticket(await openMember(server, { path, namespace: '/chat' }));
    await lose(server, old);
    const client = await openClient(server, { path, revision: 3 });
    const back = await client.join('/chat', { pid: old.id, offset });
    assert.notEqual(back.id, old.id);
    assert.deepEqual(await back.ask('rooms'), [[]]);
  });
});
