// Binary arguments: the packet counts its attachments, each of which follows in a
// message of its own, and placeholders say where they belong.

import { after, describe, test } from 'node:test';
import assert from 'node:assert/strict';
import { openSession } from '../harness/engine/session.mjs';
import { startServer } from '../harness/server.mjs';
import { freshNamespace, openMember } from '../harness/socket/client.mjs';
import { eachWay } from '../harness/socket/ways.mjs';
import { differs } from '../harness/target.mjs';
import { EVERY_BYTE } from '../harness/wire/samples.mjs';

const server = await startServer();
after(() => server.stop());

const place = (num) => `{"_placeholder":true,"num":${num}}`;
const bytes = (...values) => Buffer.from(values);

const rules = ({ revision, transport, member }) => {
  test('an event with an attachment: `51-`, a placeholder, and the bytes behind it', async () => {
    const { client } = await member();
    await client.send(`51-["message",${place(0)}]`, bytes(1, 2, 3));
    await client.expect(`51-["message-back",${place(0)}]`, bytes(1, 2, 3));
  });

  test('the namespace and the number of the acknowledgement stand behind the count', async () => {
    const { client } = await member({ namespace: '/custom' });
    await client.send(`51-/custom,["message",${place(0)}]`, bytes(1));
    await client.expect(`51-/custom,["message-back",${place(0)}]`, bytes(1));
    await client.send(`51-/custom,12["message-with-ack",${place(0)}]`, bytes(2));
    await client.expect(`61-/custom,12[${place(0)}]`, bytes(2));
  });

  test('attachments anywhere in the arguments, in the order of their numbers', async () => {
    const player = await member();
    const args = [bytes(0), { a: [bytes(1), { b: bytes(2) }], c: 'text' }, [[[bytes(3)]]], null];
    await player.emit('message', ...args);
    await player.expect('message-back', ...args);
  });

  test('all bytes, no bytes, ten attachments', async () => {
    const player = await member();
    for (const args of [
      [EVERY_BYTE],
      [bytes()],
      [bytes(), bytes(), bytes(1)],
      Array.from({ length: 10 }, (_, index) => bytes(index)),
    ]) {
      await player.emit('message', ...args);
      await player.expect('message-back', ...args);
    }
  });

  test('bytes that look like packets are bytes', async () => {
    const player = await member();
    for (const text of ['2["message"]', '4', '1', '', 'b4AQID', '\x1e', '51-["message"]']) {
      await player.emit('message', Buffer.from(text));
      await player.expect('message-back', Buffer.from(text));
    }
  });

  test('an acknowledgement with attachments', async () => {
    const { client } = await member();
    await client.send(`52-7["message-with-ack",${place(0)},[${place(1)}]]`, bytes(1), bytes(2));
    await client.expect(`62-7[${place(0)},[${place(1)}]]`, bytes(1), bytes(2));
  });

  test('placeholders in another order, twice, or none: what they name counts', async () => {
    const { client } = await member();
    const one = bytes(1);
    const two = bytes(2);
    const echoed = async (json, expected) => {
      await client.send(`52-["message",${json}]`, one, two);
      const { data } = await client.packet();
      assert.deepEqual(data, ['message-back', ...expected]);
    };
    await echoed(`${place(1)},${place(0)}`, [two, one]);
    await echoed(`${place(0)},${place(0)},${place(1)}`, [one, one, two]);
    await echoed(`${place(1)}`, [two]);
    await echoed('"none"', ['none']);
  });

  test('a placeholder may have its keys in any order, and more of them', async () => {
    const { client } = await member();
    await client.send('52-["message",{"num":1,"_placeholder":true},{"x":[],"num":0,"_placeholder":true}]', bytes(1), bytes(2));
    assert.deepEqual((await client.packet()).data, ['message-back', bytes(2), bytes(1)]);
  });

  test('what only looks like a placeholder is data', async () => {
    const { client } = await member();
    const data = `{"_placeholder":true,"num":0},{"_placeholder":true,"num":9}`;
    await client.send(`2["message",${data}]`);
    await client.expect(`2["message-back",${data}]`);
    await client.send(`51-["message",{"_placeholder":false,"num":9},${place(0)}]`, bytes(1));
    await client.expect(`51-["message-back",{"_placeholder":false,"num":9},${place(0)}]`, bytes(1));
  });

  test('what some clients take for a placeholder is not sent to them', differs('sends it on'), async () => {
    const { client } = await member();
    // Those of 1.x take whatever JavaScript takes for true.
    await client.send(`51-["message",{"_placeholder":"true","num":0},${place(0)}]`, bytes(1));
    await client.expect(`51-["message-back",{"_placeholder":false,"num":0},${place(0)}]`, bytes(1));
    // A value beside bytes of the application's own.
    await client.send(`21["beside-bytes",{"a":[${place(0)},${place(7)}]}]`);
    const disarmed = `{"a":[{"_placeholder":false,"num":0},{"_placeholder":false,"num":7}]},${place(0)}`;
    await client.expect(`51-["beside-bytes",${disarmed}]`, bytes(1, 2, 3));
    await client.expect(`61-1[${disarmed}]`, bytes(1, 2, 3));
  });

  test('attachments may come one by one', async () => {
    const { client } = await member();
    await client.send(`53-["message",${place(0)},${place(1)},${place(2)}]`);
    for (const byte of [1, 2, 3]) await client.send(bytes(byte));
    const { data } = await client.packet();
    assert.deepEqual(data, ['message-back', bytes(1), bytes(2), bytes(3)]);
  });

  test('a heartbeat between a packet and its attachments is none of them', async () => {
    const { client } = await member();
    await client.send(`52-["message",${place(0)},${place(1)}]`);
    await client.beat();
    await client.send(bytes(1));
    await client.beat();
    await client.send(bytes(2));
    assert.deepEqual((await client.packet()).data, ['message-back', bytes(1), bytes(2)]);
  });

  test('a catch-all gets attachments too', async () => {
    const player = await member();
    await player.emit('surprise', { deep: [bytes(1)] }, bytes(2));
    await player.receives('any', 'surprise', { deep: [bytes(1)] }, bytes(2));
  });

  test('large attachments, both ways', async () => {
    const player = await member();
    // As base64 in a POST, 900 kB would be beyond the payload limit of 1,000,000.
    const large = Buffer.alloc(transport === 'polling' ? 700_000 : 900_000, 0x2b);
    await player.emit('message', large, 'and', bytes(1));
    await player.expect('message-back', large, 'and', bytes(1));
    await player.emit('big-binary', 900_000);
    await player.expect('big-binary', Buffer.alloc(900_000, 0x2a));
  });

  test('text and binary keep their order', async () => {
    const player = await member();
    await player.emit('message', 1);
    await player.emit('message', bytes(2), bytes(3));
    await player.emit('message', 4);
    await player.emit('message', bytes(5));
    await player.expect('message-back', 1);
    await player.expect('message-back', bytes(2), bytes(3));
    await player.expect('message-back', 4);
    await player.expect('message-back', bytes(5));
  });

  if (revision === 3 && transport === 'websocket') {
    test('a client that takes no binary (`b64`) gets attachments as base64', async () => {
      const peer = await openSession(server, { revision, path: '/io/', query: { b64: 1 } });
      assert.deepEqual([await peer.next(), await peer.next()], ['40', '42["auth",{}]']);
      peer.send(`451-["message",${place(0)}]`);
      peer.send('b4AQID');
      assert.equal(await peer.next(), `451-["message-back",${place(0)}]`);
      assert.equal(await peer.next(), 'b4AQID');
      peer.close();
    });
  }
};

eachWay(server, rules, { revisions: [3, 4] });

describe('binary events to one client from many', { concurrency: true }, () => {
  for (const transport of ['websocket', 'polling']) {
    test(`${transport}: a packet and its attachments are never interleaved with another`, async () => {
      const namespace = freshNamespace();
      const receiver = await openMember(server, { namespace, transport });
      const senders = await Promise.all(
        ['websocket', 'websocket', 'polling'].map((way) => openMember(server, { namespace, transport: way })),
      );
      const rounds = 20;
      const sent = senders.map(async (sender, who) => {
        for (let round = 0; round < rounds; round += 1) {
          const args = [bytes(who, round, 0), 'between', bytes(who, round, 1), bytes(who, round, 2)];
          await sender.ask('direct', receiver.id, 'parts', ...args);
        }
      });
      const rest = senders.map(() => 0);
      for (let count = 0; count < senders.length * rounds; count += 1) {
        const { data } = await receiver.client.packet();
        const [who] = data[1];
        const round = (rest[who] += 1) - 1;
        assert.deepEqual(data, ['parts', bytes(who, round, 0), 'between', bytes(who, round, 1), bytes(who, round, 2)]);
      }
      await Promise.all(sent);
      await receiver.nothing();
    });
  }
});
