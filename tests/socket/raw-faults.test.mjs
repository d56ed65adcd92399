// A handler that panics or fails: its own event is lost and logged. Nobody else
// notices, nothing hangs, and the object still sleeps.

import { after, describe, test } from 'node:test';
import assert from 'node:assert/strict';
import { startServer } from '../harness/server.mjs';
import { socketBystanders } from '../harness/socket/bystanders.mjs';
import { freshNamespace, openMember } from '../harness/socket/client.mjs';
import { comeBack, ticket } from '../harness/socket/recovery.mjs';
import { eachWay } from '../harness/socket/ways.mjs';
import { sleeping, target, workerOnly } from '../harness/target.mjs';

const server = await startServer();
after(() => server.stop());

const { logs } = server;
const FAULTS = [['fail', 'on purpose'], ...(target === 'reference' ? [] : [['panic']])];

const errors = () => logs.events.filter(({ level }) => level === 'error').length;

/** One more error is in the log than there was. */
async function waitForError(before) {
  while (errors() <= before) await logs.waitFor({ level: 'error' }).then(() => new Promise(setImmediate));
}

const rules = ({ revision, asleep, member }) => {
  for (const [event, ...args] of FAULTS) {
    test(`${event}: the socket keeps its rooms, data and other events`, async () => {
      const others = await socketBystanders(server, { revision, asleep });
      const player = await member({ namespace: freshNamespace() });
      await player.ask('join', 'room');
      await player.ask('set-data', { kept: true });
      const before = errors();
      await player.emit(event, ...args);
      await waitForError(before);
      await others.check();
      assert.deepEqual(await player.ask('rooms'), [['room']]);
      assert.deepEqual(await player.ask('get-data'), [{ kept: true }]);
      await others.leave();
    });

    test(`${event} between other events: they are served`, async () => {
      const player = await member({ namespace: freshNamespace() });
      const { prefix } = player;
      const fault = `2${prefix}${JSON.stringify([event, ...args])}`;
      await player.client.send(`2${prefix}["message",1]`, fault, `2${prefix}["message",2]`);
      for (const number of [1, 2]) await player.expect('message-back', number);
      await player.nothing();
    });

    test(`${event} twice between other events: they are served`, async () => {
      const player = await member({ namespace: freshNamespace() });
      const { prefix } = player;
      const fault = `2${prefix}${JSON.stringify([event, ...args])}`;
      const numbers = [1, 2, 3];
      await player.client.send(...numbers.flatMap((number) => [`2${prefix}["message",${number}]`, fault]));
      try {
        for (const number of numbers) await player.expect('message-back', number);
      } finally {
        // So that no poll is left open, which would keep the object awake.
        await player.client.close();
      }
    });

    test(`${event} of one client: the rooms of the others are as they were`, async () => {
      const namespace = freshNamespace();
      const [culprit, other] = [await member({ namespace }), await member({ namespace })];
      await other.ask('join', 'room');
      for (let round = 0; round < 5; round += 1) await culprit.emit(event, ...args);
      assert.deepEqual(await culprit.ask('cast', { to: ['room'] }, 'x', 1), ['ok']);
      await other.expect('x', 1);
      await other.nothing();
    });
  }
};

eachWay(server, rules, { revisions: [3, 4] });

describe('panics', workerOnly, () => {
  test('a hundred in a row leave the server as it was', async () => {
    const others = await socketBystanders(server);
    const player = await openMember(server);
    for (let round = 0; round < 100; round += 1) await player.emit('panic');
    await player.nothing();
    await others.check();
    await others.leave();
  });

  test('who waits for an acknowledgement of it may wait: nothing else is held up', async () => {
    const player = await openMember(server);
    await player.client.send('21["panic"]', '22["message-with-ack","after"]');
    const answers = [await player.client.next()];
    while (!answers.at(-1).startsWith('32')) answers.push(await player.client.next());
    assert.equal(answers.at(-1), '32["after"]');
  });

  test('attachments that are still to come outlast it', async () => {
    const [player, culprit] = [await openMember(server), await openMember(server)];
    await player.client.send('52-["message",{"_placeholder":true,"num":0},{"_placeholder":true,"num":1}]', Buffer.of(1));
    await culprit.emit('panic');
    await culprit.nothing();
    await player.client.send(Buffer.of(2));
    await player.expect('message-back', Buffer.of(1), Buffer.of(2));
  });

  test('what recovery keeps outlasts it', async () => {
    const path = '/recovery/';
    const namespace = freshNamespace();
    const [player, culprit] = [await openMember(server, { path, namespace }), await openMember(server, { path, namespace })];
    await player.ask('join', 'room');
    const holds = await ticket(player);
    await player.client.lose();
    await logs.waitFor({ event: 'disconnected', socket: player.id });
    await culprit.emit('cast', { to: ['room'] }, 'missed', 1);
    await culprit.emit('panic');
    await culprit.nothing();
    const back = await comeBack(async () => (await openMember(server, { path })).client, namespace, holds);
    assert.equal(back.sid, player.id);
    assert.deepEqual(back.missed.map((data) => data.slice(0, 2)), [['missed', 1]]);
  });

  test('the object still sleeps, and wakes with every socket', sleeping, async () => {
    const [player, culprit] = [await openMember(server), await openMember(server)];
    await player.ask('join', 'room');
    await culprit.emit('panic');
    await culprit.nothing();
    assert.equal(await server.sleep(player.client.sid), true);
    assert.deepEqual(await player.ask('rooms'), [['room']]);
    await culprit.nothing();
  });
});

// Where objects never sleep, WebSockets are listened to by the instance that ends.
test('a panic where objects never sleep: everybody stays, and what comes behind it is served', workerOnly, async () => {
  const join = () => openMember(server, { path: '/awake/', namespace: '/chat' });
  const [culprit, other] = [await join(), await join()];
  const numbers = Array.from({ length: 20 }, (_, index) => index);
  const messages = numbers.map((number) => `2/chat,["message",${number}]`);
  for (let round = 0; round < 5; round += 1) {
    const panics = culprit.client.send('2/chat,["panic"]', ...messages);
    await Promise.all([panics, other.client.send(...messages)]);
    for (const number of numbers) await other.expect('message-back', number);
    for (const number of numbers) await culprit.expect('message-back', number);
  }
  await culprit.nothing();
});
