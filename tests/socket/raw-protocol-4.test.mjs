// What clients 1.x and 2.x need (EIO=3): they are greeted unasked, name namespaces
// with a query, and know their ids by themselves.

import { after, describe, test } from 'node:test';
import assert from 'node:assert/strict';
import { openPolling, openSession } from '../harness/engine/session.mjs';
import { startServer } from '../harness/server.mjs';
import { openClient } from '../harness/socket/client.mjs';
import { eachWay } from '../harness/socket/ways.mjs';
import { differs } from '../harness/target.mjs';

const server = await startServer();
after(() => server.stop());

const { logs } = server;
const revision = 3;
const path = '/io/';

const rules = ({ open, member }) => {
  test('`40` for `/` comes unasked and before all else, without a payload', async () => {
    const client = await open();
    await client.expect('0', '2["auth",{}]');
  });

  test('and before any other namespace, however early the client asks for one', async () => {
    const client = await open();
    await client.send('0/chat,', '0/slow,', '0/custom,');
    await client.expect('0');
    const rest = [];
    while (rest.length < 5) rest.push(await client.next());
    assert.deepEqual(
      rest.toSorted(),
      ['0/chat,', '0/custom,', '0/slow,', '2/custom,["auth",{}]', '2["auth",{}]'].toSorted(),
    );
  });

  test('a custom namespace: the answer is the CONNECT without a payload', async () => {
    const { client } = await member();
    await client.send('0/chat,');
    await client.expect('0/chat,');
    await client.send('0/dynamic-old');
    await client.expect('0/dynamic-old,');
  });

  test('the query of a namespace is what `auth` is to newer clients', async () => {
    const { client } = await member();
    await client.send('0/custom?token=1&name=a%20b+c%C3%A9&empty=,');
    await client.expect('0/custom,');
    assert.deepEqual((await client.packet()).data, ['auth', { token: '1', name: 'a b cé', empty: '' }]);
    await client.send('27["who"]', '2/custom,8["get-data"]');
    await client.expect(`37["${client.sid}","/"]`, '3/custom,8[{"name":"a b cé"}]');
  });

  test('a query that is empty is no query', async () => {
    const { client } = await member();
    await client.send('0/custom?,');
    await client.expect('0/custom,', '2/custom,["auth",{}]');
  });

  test('a namespace by predicate sees the query', async () => {
    const { client } = await member();
    await client.send('0/tenant/acme?tenant=acme,');
    await client.expect('0/tenant/acme,');
  });

  test('packets may name the query again', async () => {
    const { client } = await member();
    await client.send('0/custom?a=1,');
    await client.expect('0/custom,', '2/custom,["auth",{"a":"1"}]');
    await client.send('2/custom?a=1,["message",1]');
    await client.expect('2/custom,["message-back",1]');
  });

  test('the id of `/` is that of the session; elsewhere it is `/namespace#` and that', async () => {
    const root = await member();
    const { client } = root;
    assert.deepEqual(await root.ask('who'), [client.sid, '/']);
    for (const namespace of ['/chat', '/dynamic-7']) {
      const other = await client.join(namespace);
      assert.deepEqual(await other.ask('who'), [`${namespace}#${client.sid}`, namespace]);
    }
  });

  test('a socket is reached by that id', async () => {
    const chat = await member({ namespace: '/chat' });
    const other = await member({ namespace: '/chat' });
    assert.deepEqual(await other.ask('direct', `/chat#${chat.client.sid}`, 'hello', 1), ['ok']);
    await chat.expect('hello', 1);
  });

  test('refused by a middleware: the message as a JSON string', async () => {
    const { client } = await member();
    await client.send('0/refuse,');
    await client.expect('4/refuse,"not authorized"');
    await client.send('0/refuse?token=good,');
    await client.expect('0/refuse,');
  });

  test('refused with data: the data in its place', async () => {
    const { client } = await member();
    await client.send('0/refuse?data=1,');
    await client.expect('4/refuse,{"content":"Please retry later"}');
  });

  const objects = differs('sends these clients the object of the newer protocol');
  test('an unknown namespace: "Invalid namespace" as a JSON string', objects, async () => {
    const { client } = await member();
    await client.send('0/random?token=1,', '0/tenant/acme?tenant=other,');
    await client.expect('4/random,"Invalid namespace"', '4/tenant/acme,"Invalid namespace"');
  });

  test('a namespace is left and joined again under the same id', async () => {
    const chat = await member({ namespace: '/chat' });
    const { client } = chat;
    await client.send('1/chat,');
    await logs.waitFor({ event: 'disconnected', socket: chat.id });
    await client.send('0/chat,');
    await client.expect('0/chat,');
    assert.deepEqual(await chat.ask('who'), [chat.id, '/chat']);
  });

  test('with recovery on, there is neither a pid nor a payload', async () => {
    const client = await open({ path: '/recovery/' });
    await client.expect('0');
    const { data } = await client.packet();
    assert.deepEqual(data.slice(0, 2), ['welcome', { recovered: false }]);
    await client.send('0/chat,');
    await client.expect('0/chat,');
  });
};

eachWay(server, rules, { revisions: [3] });

describe('the greeting', { concurrency: true }, () => {
  test('by polling, the handshake stands alone: the greeting is in the next answer', async () => {
    const session = await openPolling(server, { revision, path });
    assert.deepEqual(session.others, []);
    assert.deepEqual(await session.collect(2), ['40', '42["auth",{}]']);
  });

  test('clients of 1.0 (EIO=2) get the same', async () => {
    const session = await openPolling(server, { revision, path, query: { EIO: 2 } });
    assert.deepEqual(await session.collect(2), ['40', '42["auth",{}]']);
    const peer = await openSession(server, { revision, path, query: { EIO: 2 } });
    assert.deepEqual([await peer.next(), await peer.next()], ['40', '42["auth",{}]']);
    peer.close();
  });

  test('newer clients get none', async () => {
    for (const transport of ['websocket', 'polling']) {
      const client = await openClient(server, { transport });
      await client.send('0/chat,');
      assert.match(await client.next(), /^0\/chat,\{/);
    }
  });
});
