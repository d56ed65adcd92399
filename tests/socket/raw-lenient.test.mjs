// What is wrong in one packet, and ends nothing but that packet, or its namespace: the
// session and every other socket of it stay.

import { after, test } from 'node:test';
import assert from 'node:assert/strict';
import { startServer } from '../harness/server.mjs';
import { eachWay } from '../harness/socket/ways.mjs';
import { differs } from '../harness/target.mjs';

const server = await startServer();
after(() => server.stop());

const { logs } = server;
const BYTES = Buffer.of(1, 2, 3);

/** The session lives, and this socket in it. */
async function assertHere(member) {
  assert.deepEqual(await member.ask('who'), [member.id, member.namespace]);
}

/** What is sent by a client that is in `/` and `/chat`. */
const ignored = {
  'an ACK without a payload': ['30', '3/chat,0', '3/chat,999'],
  'an ACK without a number': ['3["x"]', '3[]', '3/chat,["x"]'],
  'an ACK with neither': ['3', '3/chat,', '3/chat'],
  'an ACK with a number of 16 digits': ['39007199254740992["x"]', '3/chat,9999999999999999[]'],
  'an ACK with a number of 22 digits': ['39999999999999999999999["x"]', '3/chat,1000000000000000000000[]'],
  'an ACK with attachments and without a number': ['61-[{"_placeholder":true,"num":0}]', BYTES],
};

/** The reference server passes these on, with a name that is `undefined`. */
const nameless = {
  'an EVENT without a payload': ['2', '2/chat,', '2/chat,7', '2/chat'],
  'an EVENT with attachments and without a payload': ['51-/chat,', BYTES],
};

const rules = ({ revision, asleep, member }) => {
  const check = (messages) => async () => {
    const root = await member();
    const chat = await root.client.join('/chat');
    for (const message of messages) await root.client.send(message);
    await assertHere(root);
    await assertHere(chat);
  };
  for (const [name, messages] of Object.entries(ignored)) test(`${name}: nothing`, check(messages));
  for (const [name, messages] of Object.entries(nameless)) {
    test(`${name}: nothing`, differs('has handlers for events without a name'), check(messages));
  }

  test('an event with a number up to 2^53 is answered under it', async () => {
    const { client } = await member({ namespace: '/chat' });
    const ids = [Number.MAX_SAFE_INTEGER, 2 ** 53, 1_000_000_000_000_000, 999_999_999_999_999];
    for (const id of ids) {
      await client.send(`2/chat,${id}["message-with-ack",1]`);
      await client.expect(`3/chat,${id}[1]`);
    }
    await client.send('2/chat,00000000000000000000001["message-with-ack",1]');
    await client.expect('3/chat,1[1]');
  });

  test('an event with a number past that is heard', async () => {
    const { client } = await member({ namespace: '/chat' });
    for (const id of ['9999999999999999999999', '18446744073709551616', '9'.repeat(500)]) {
      await client.send(`2/chat,${id}["message",1]`);
      await client.expect('2/chat,["message-back",1]');
    }
  });

  test('an answer without a payload is an answer', async () => {
    if (asleep) return; // A question keeps its object awake.
    const chat = await member({ namespace: '/chat' });
    await chat.emit('emit-with-ack', 1);
    const id = await chat.asked('emit-with-ack', 1);
    await chat.client.send(`3/chat,${id}`);
    await chat.expect('emit-with-ack');
  });

  test('what was on its way when the server disconnected a socket: nothing', differs('ends the session'), async () => {
    const chat = await member({ namespace: '/chat' });
    const root = await chat.client.join('/');
    const binary = '51-/chat,["message",{"_placeholder":true,"num":0}]';
    const late = ['2/chat,["message"]', '2/chat,7["who"]', '3/chat,0[]', binary, BYTES, '1/chat,'];
    await chat.client.send('2/chat,["leave-me"]', ...late);
    await chat.client.expect('1/chat,');
    await logs.waitFor({ event: 'disconnected', socket: chat.id, reason: 'server namespace disconnect' });
    await chat.client.send(...late);
    await assertHere(root);
    await chat.client.send('0/chat,');
    assert.match(await chat.client.next(), /^0\/chat,/);
    await assertHere(root);
  });

  test('what is for another namespace that was not joined: the session ends', async () => {
    const chat = await member({ namespace: '/chat' });
    await chat.emit('leave-me');
    await chat.client.expect('1/chat,');
    await chat.client.try('2/custom,["message"]');
    assert.deepEqual(await chat.client.ended(), []);
  });

  // `"🦔".slice(0, 1)` in JavaScript, and what is left.
  const halves = ['\ud83e', 'a\ud83e', '\udd94b', '\udd94\ud83e', '🦔\ud83e🦔'];

  test('half an emoji: read as U+FFFD, passed on as it came', async () => {
    const chat = await member({ namespace: '/chat' });
    for (const half of halves) {
      // The reference server passes on what it has read, too.
      const [answer] = await chat.ask('typed', half, 7);
      assert.equal(answer.toWellFormed(), `${half.toWellFormed()}:7`);
      await chat.emit('message', half, { [half]: [half] });
      await chat.expect('message-back', half, { [half]: [half] });
    }
  });

  test('half an emoji in the name of an event: a name like any other', async () => {
    const chat = await member({ namespace: '/chat' });
    for (const half of halves) {
      await chat.emit(half, half);
      const { data } = await chat.client.packet();
      assert.deepEqual([data[0], data[1].toWellFormed(), data[2]], ['any', half.toWellFormed(), half]);
    }
    await assertHere(chat);
  });

  test('integers that are written as other numbers', async () => {
    const { client } = await member({ namespace: '/chat' });
    const numbers = { '7.0': 7, '7e0': 7, '-7.000': -7, '-0.0': 0, '-0': 0, '1e3': 1_000, '1.25E+2': 125, '70e-1': 7 };
    for (const [written, meant] of Object.entries(numbers)) {
      await client.send(`2/chat,1["typed","a",${written}]`);
      await client.expect(`3/chat,1["a:${meant}"]`);
    }
  });

  test('what is no integer is none', differs('has no types'), async () => {
    const chat = await member({ namespace: '/chat' });
    for (const number of [7.5, 1e300, 5e-324, 1e19]) {
      const [{ error }] = await chat.ask('typed', 'a', number);
      assert.match(error, /^argument 2: invalid/);
    }
    await chat.client.send('2/chat,["message",7.0,[-0.0,1e3]]');
    await chat.client.expect('2/chat,["message-back",7.0,[-0.0,1e3]]');
  });

  if (revision === 4) {
    test('half an emoji in what a client says of itself: it is let in', async () => {
      const auth = { token: 'good', name: 'a\ud83e', '\udd94': [{ '\ud83e': '\ud83e' }] };
      const { client } = await member({ namespace: '/refuse', auth });
      assert.match((await client.join('/chat', auth)).id, /./);
      const custom = await client.join('/custom', auth);
      assert.deepEqual(custom.greeting, ['auth', auth]);
    });

    test('an integer there that is written as another number', async () => {
      const { client } = await member();
      await client.send('0/slow,{"delay":1.0,"name":"\\ud83e"}');
      assert.match(await client.next(), /^0\/slow,/);
    });
  }

  if (revision === 3) {
    test('a query behind the namespace: it is left all the same, and no other', async () => {
      const root = await member();
      const chat = await root.client.join('/chat');
      const custom = await root.client.join('/custom');
      await root.client.send('2/chat?t=1,["message","é"]');
      await chat.expect('message-back', 'é');
      await root.client.send('1/chat?t=1,');
      await logs.waitFor({ event: 'disconnected', socket: chat.id, reason: 'client namespace disconnect' });
      await root.client.send('1/custom?t=1&u=2');
      await logs.waitFor({ event: 'disconnected', socket: custom.id, reason: 'client namespace disconnect' });
      await assertHere(root);
    });
  }
};

eachWay(server, rules, { revisions: [3, 4] });
