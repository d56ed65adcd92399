// While the application decides about a client: middlewares and `on_connect` that ask it
// something, disconnect it, or find that it has gone.

import { after, describe, test } from 'node:test';
import assert from 'node:assert/strict';
import { startServer } from '../harness/server.mjs';
import { openClient } from '../harness/socket/client.mjs';
import { eachWay } from '../harness/socket/ways.mjs';
import { differs } from '../harness/target.mjs';

const server = await startServer();
after(() => server.stop());

const { logs } = server;

let names = 0;
const freshName = () => `${process.pid}-${(names += 1)}`;

/** The answer to a CONNECT that lets the client in: its id. */
async function connected(client, namespace) {
  const answer = await client.next('answer to CONNECT');
  const [prefix] = [`0${namespace},`];
  assert.ok(answer.startsWith(`${prefix}{"sid":`), answer);
  return JSON.parse(answer.slice(prefix.length)).sid;
}

/** The id of the question that the client is asked. */
async function question(client) {
  const message = await client.next('question');
  const [, id] = /^2\/greeting,(\d+)\["question",1\]$/.exec(message) ?? [];
  assert.ok(id, message);
  return id;
}

const asking = ({ open }) => {
  for (const [greet, answered] of [['ask', '["answered",{"a":1}]'], ['ask all', '["answered",[{"a":1}]]']]) {
    test(`on_connect that asks the client (${greet}): it is connected, and can answer`, async () => {
      const client = await open();
      await client.send(`0/greeting,{"greet":"${greet}"}`);
      await connected(client, '/greeting');
      const id = await question(client);
      await client.send(`3/greeting,${id}[{"a":1}]`);
      await client.expect(`2/greeting,${answered}`);
    });
  }

  test('on_connect that does not like the answer: the client is disconnected', async () => {
    const client = await open();
    await client.send('0/greeting,{"greet":"ask and refuse"}');
    const socket = await connected(client, '/greeting');
    const id = await question(client);
    await client.send(`3/greeting,${id}["no"]`);
    await client.expect('1/greeting,');
    await logs.waitFor({ event: 'disconnected', socket, reason: 'server namespace disconnect' });
    await client.join('/greeting');
  });

  test('what the client says meanwhile is heard once it is let in, in order', differs('hears it at once'), async () => {
    const client = await open();
    await client.send('0/greeting,{"greet":"ask and refuse"}');
    await connected(client, '/greeting');
    const id = await question(client);
    await client.send('2/greeting,["message",1]', '2/greeting,5["echo-nothing"]');
    await client.send(`3/greeting,${id}["yes"]`, '2/greeting,["message",2]');
    await client.expect('2/greeting,["message-back",1]', '3/greeting,5[]', '2/greeting,["message-back",2]');
  });

  test('what the client says meanwhile is not heard if it is not', differs('hears it at once'), async () => {
    const client = await open();
    await client.send('0/greeting,{"greet":"ask and refuse"}');
    await connected(client, '/greeting');
    const id = await question(client);
    await client.send('2/greeting,["message",1]');
    await client.send(`3/greeting,${id}["no"]`);
    await client.expect('1/greeting,');
    await client.join('/chat');
  });

  test('a client that leaves while it is asked', async () => {
    const client = await open();
    await client.send('0/greeting,{"greet":"ask"}');
    const socket = await connected(client, '/greeting');
    await question(client);
    await client.send('1/greeting,');
    await logs.waitFor({ event: 'disconnected', socket, reason: 'client namespace disconnect' });
    await client.join('/greeting');
  });
};

const lost = ({ open }) => {
  test('a decision that is lost: the client is disconnected', async () => {
    const client = await open();
    await client.send('0/greeting,{"greet":"ask"}');
    const socket = await connected(client, '/greeting');
    const id = await question(client);
    await client.send(`3/greeting,${id}["yes"]`);
    await client.expect('1/greeting,');
    await logs.waitFor({ event: 'disconnected', socket, reason: 'server namespace disconnect' });
  });
};

const rules = ({ open, asleep }) => {
  test('on_connect that emits and disconnects: the client hears all of it, in order', async () => {
    const client = await open();
    await client.send('0/greeting,{"greet":"disconnect"}');
    const id = await connected(client, '/greeting');
    await client.expect('2/greeting,["bye",1]', '1/greeting,');
    await logs.waitFor({ event: 'disconnected', socket: id, reason: 'server namespace disconnect' });
    await client.join('/chat');
  });

  test('on_connect that emits and closes: the same, and the session ends', async () => {
    const client = await open();
    await client.join('/chat');
    await client.send('0/greeting,{"greet":"close"}');
    const id = await connected(client, '/greeting');
    const rest = await client.ended();
    assert.deepEqual(rest.slice(0, 1), ['2/greeting,["bye",1]']);
    assert.deepEqual(rest.slice(1).toSorted(), ['1/chat,', '1/greeting,']);
    await logs.waitFor({ event: 'disconnected', socket: id });
  });

  // An object that waits for an answer does not sleep, but it may be lost.
  if (asleep) lost({ open });
  else asking({ open });

  test('a middleware that refuses: no other is asked', async () => {
    const client = await open();
    const name = freshName();
    await client.send(`0/guarded,{"guard":"refuse","name":"${name}"}`);
    await client.expect('4/guarded,{"message":"not today"}');
    await client.join('/guarded', { name: `${name}b` });
    await logs.waitFor({ event: 'guarded', name: `${name}b` });
    assert.deepEqual(logs.find({ event: 'guarded', name }), []);
  });

  test('a middleware that disconnects its socket and refuses it: its words', async () => {
    const client = await open();
    await client.send('0/guarded,{"guard":"disconnect and refuse"}');
    await client.expect('4/guarded,{"message":"not today"}');
  });

  test('a middleware that disconnects its socket does not let it in', differs('lets it in'), async () => {
    const client = await open();
    const name = freshName();
    await client.send(`0/guarded,{"guard":"disconnect","name":"${name}"}`);
    await client.expect('4/guarded,{"message":"Connection rejected by server"}');
    await client.join('/guarded', { name: `${name}b` });
    await logs.waitFor({ event: 'guarded', name: `${name}b` });
    assert.deepEqual(logs.find({ event: 'guarded', name }), []);
  });

  test('a middleware that closes: the session ends', differs('lets it in'), async () => {
    const client = await open();
    const chat = await client.join('/chat');
    await client.send('0/guarded,{"guard":"close"}');
    assert.deepEqual(await client.ended(), ['1/chat,']);
    await logs.waitFor({ event: 'disconnected', socket: chat.id });
  });
};

eachWay(server, rules);

describe('a client that goes while a middleware decides', { concurrency: true }, () => {
  for (const transport of ['websocket', 'polling']) {
    for (const how of ['close', 'lose']) {
      /** Whoever asked first has gone, and whoever asked later is let in. */
      const go = async () => {
        const [client, witness] = [await openClient(server, { transport }), await openClient(server, { transport })];
        const chat = await client.join('/chat');
        const name = freshName();
        await client.send(`0/guarded,{"delay":300,"name":"${name}","rooms":["${name}"]}`);
        // It is asked about, for this is answered.
        assert.deepEqual(await chat.ask('echo-nothing'), []);
        await client[how]();
        await logs.waitFor({ event: 'disconnected', socket: chat.id });
        const later = await witness.join('/guarded', { delay: 500, name: `${name}b` });
        await logs.waitFor({ event: 'connected', name: `${name}b` });
        return { name, later };
      };

      test(`${transport}, ${how}: it is not let in`, async () => {
        const { name, later } = await go();
        assert.deepEqual(await later.ask('fetch', { from: 'server', to: [name] }), [[]]);
        assert.deepEqual(logs.find({ event: 'connected', name }), []);
      });

      test(`${transport}, ${how}: no other middleware is asked`, differs('asks them all'), async () => {
        const { name } = await go();
        assert.deepEqual(logs.find({ event: 'guarded', name }), []);
      });
    }
  }
});
