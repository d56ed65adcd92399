// While the application decides about a client: middlewares and `on_connect` that ask it
// something, disconnect it, or find that it has gone or has asked again.

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

// A client that disconnects before it knows that it is connected says nothing of that. So
// if it connects again, as in React's StrictMode, the server hears two CONNECTs.
const again = ({ open, member, revision }) => {
  const prefix = (namespace) => `0${namespace},`;

  /** Whether this is the answer to a CONNECT that lets the client in. */
  const connects = (message, namespace) =>
    revision === 3 ? message === prefix(namespace) : message.startsWith(`${prefix(namespace)}{"sid":`);

  /** The client is in the namespace: the socket's id, whatever else it hears before that. */
  const inside = async (client, namespace) => {
    await client.send(`2${namespace},99["who"]`);
    for (;;) {
      const message = await client.next('acknowledgement');
      const answer = `3${namespace},99`;
      if (message.startsWith(answer)) return JSON.parse(message.slice(answer.length))[0];
      assert.ok(connects(message, namespace), message);
    }
  };

  for (const [what, namespace] of [['that decides at once', '/chat'], ['that takes its time', '/slow']]) {
    test(`two CONNECTs to a namespace ${what}: it is in it, and in its others`, async () => {
      const root = await member();
      await root.client.send(prefix(namespace), prefix(namespace));
      assert.ok(connects(await root.client.next('answer'), namespace));
      await inside(root.client, namespace);
      assert.deepEqual(await root.ask('message-with-ack', 1), [1]);
    });
  }

  test('a CONNECT to a namespace that it is in: it joins anew', differs('ends the session'), async () => {
    const root = await member();
    const { client } = root;
    const chat = await client.join('/chat', revision === 4 ? { rooms: ['room'] } : undefined);
    await client.send(prefix('/chat'));
    assert.ok(connects(await client.next('answer'), '/chat'));
    await logs.waitFor({ event: 'disconnected', socket: chat.id, reason: 'client namespace disconnect' });
    const id = await inside(client, '/chat');
    assert.equal(id === chat.id, revision === 3);
    await client.send('2/chat,1["rooms"]');
    await client.expect('3/chat,1[[]]');
    assert.deepEqual(await root.ask('message-with-ack', 1), [1]);
  });

  test('a CONNECT to the root namespace, in which it is: likewise', differs('ends the session'), async () => {
    const root = await member();
    const { client } = root;
    const chat = await client.join('/chat');
    await client.send('0');
    const answer = await client.next('answer');
    assert.match(answer, revision === 3 ? /^0$/ : /^0{"sid":/);
    await client.expect('2["auth",{}]');
    await logs.waitFor({ event: 'disconnected', socket: root.id, reason: 'client namespace disconnect' });
    assert.deepEqual(await chat.ask('message-with-ack', 1), [1]);
    assert.deepEqual(await root.ask('message-with-ack', 1), [1]);
  });

  test('a CONNECT to one that is not defined, twice: two errors', async () => {
    const root = await member();
    await root.client.send('0/random,', '0/random,');
    assert.match(await root.client.next(), /^4\/random,.*"Invalid namespace"/);
    assert.match(await root.client.next(), /^4\/random,.*"Invalid namespace"/);
    assert.deepEqual(await root.ask('message-with-ack', 1), [1]);
  });
};

eachWay(server, again, { revisions: [3, 4], asleep: false });

const takenBack = ({ member }) => {
  const ask = (namespace, auth) => `0${namespace},${JSON.stringify(auth)}`;

  test('only the last of them is answered, and in the namespace', differs('answers each'), async () => {
    const { client } = await member();
    const [one, two] = [freshName(), freshName()];
    await client.send(ask('/slow', { delay: 100, name: one }), ask('/slow', { delay: 100, name: two }));
    const id = await connected(client, '/slow');
    assert.equal((await logs.waitFor({ event: 'connected', name: two })).socket, id);
    await client.send('2/slow,1["fetch",{"from":"server"}]');
    const [sockets] = JSON.parse((await client.next()).slice('3/slow,1'.length));
    const names = sockets.map(([, , data]) => data?.name).filter((name) => [one, two].includes(name));
    assert.deepEqual(names, [two]);
  });

  test('the first is in a middleware: no other is asked about it', differs('asks them all'), async () => {
    const { client } = await member();
    const [one, two] = [freshName(), freshName()];
    await client.send(ask('/guarded', { delay: 100, name: one }), ask('/guarded', { delay: 100, name: two }));
    await connected(client, '/guarded');
    await logs.waitFor({ event: 'connected', name: two });
    assert.deepEqual(logs.find({ event: 'guarded', name: one }), []);
    assert.deepEqual(logs.find({ event: 'connected', name: one }), []);
  });

  test('the first is to be refused: only the last counts', differs('answers each'), async () => {
    const { client } = await member();
    await client.send(ask('/guarded', { delay: 100, guard: 'refuse' }), ask('/guarded', {}));
    await connected(client, '/guarded');
    // Later than the first would have been refused.
    await client.send('2/guarded,1["slow",200,1]');
    await client.expect('3/guarded,1[1]');
  });

  test('the first is asked something: it is disconnected', differs('ends the session'), async () => {
    const { client } = await member();
    await client.send(ask('/greeting', { greet: 'ask' }));
    const id = await connected(client, '/greeting');
    await question(client);
    await client.send('2/greeting,["message",1]', ask('/greeting', {}));
    await logs.waitFor({ event: 'disconnected', socket: id, reason: 'client namespace disconnect' });
    assert.notEqual(await connected(client, '/greeting'), id);
    await client.send('2/greeting,1["echo-nothing"]');
    await client.expect('3/greeting,1[]');
  });
};

eachWay(server, takenBack, { asleep: false });
