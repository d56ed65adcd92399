// The runtime is killed while two hundred stock clients chat, and started again on the
// same storage and port. The clients come back by themselves. Those that recover have
// heard once whatever was acknowledged to who said it; those of protocol 4 start anew.

import { after, test } from 'node:test';
import assert from 'node:assert/strict';
import { Chatter } from '../harness/clients/chatter.mjs';
import { libraries, newest } from '../harness/clients/socket.mjs';
import { startWorkerd } from '../harness/runtime/workerd.mjs';
import { workerOnly } from '../harness/target.mjs';
import { within } from '#dormouse-test/wait.mjs';

const PATIENCE = 60_000;
const ROOMS = 20;
const CROWD = 20;

const old = libraries.find(({ name }) => name.includes('2.5'));
const websocket = ['websocket'];
const polling = ['polling'];
const upgrading = ['polling', 'websocket'];
const KINDS = [
  { count: 100, library: newest, transports: websocket },
  { count: 30, library: newest, transports: upgrading },
  { count: 20, library: newest, transports: polling },
  { count: 40, library: old, transports: websocket },
  { count: 10, library: old, transports: polling },
];

test('killed and started again under two hundred clients, twice', workerOnly, async (t) => {
  const server = await startWorkerd({ storage: true });
  t.after(() => server.stop());
  const people = KINDS.flatMap(({ count, ...kind }) => Array(count).fill(kind));
  const chatters = [];
  t.after(() => chatters.forEach((chatter) => chatter.leave()));
  for (const [index, kind] of people.entries()) {
    const options = { ...kind, name: `${index}`, room: `room ${index % ROOMS}` };
    chatters.push(new Chatter(server, kind.library, options));
    // A crowd at the door is another test's.
    if (index % CROWD === 0) await chatters.at(-1).returned();
  }
  const all = (what, act) => within(Promise.all(chatters.map(act)), what, PATIENCE);

  await all('arrival', (chatter) => chatter.returned());

  for (const round of [1, 2]) {
    await all('chat before', (chatter) => chatter.chat(1));
    const chatting = all('chat across the kill', (chatter) => chatter.chat(3));
    chatting.catch(() => {});
    // In the middle of it: some have been answered, most have not.
    await within(Promise.race(chatters.map((chatter) => chatter.chat(1))), 'a word');
    await server.kill();
    await server.restart();
    await chatting;
    await all('return', (chatter) => chatter.returned());
    await all('chat after', (chatter) => chatter.chat(1));
    for (const { name, connections, recoveries, isRecoverable } of chatters) {
      assert.equal(connections, 1 + round, `connections of ${name}`);
      assert.equal(recoveries, isRecoverable ? round : 0, `recoveries of ${name}`);
    }
  }

  await all('what was on its way', (chatter) => chatter.caughtUp());
  for (const chatter of chatters) {
    chatter.assertOrder();
    if (chatter.isRecoverable) chatters.forEach((speaker) => chatter.assertHeard(speaker));
  }
  assert.deepEqual(server.logs.find({ level: 'error' }), []);
});
