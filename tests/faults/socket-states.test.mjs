// The same for sockets: whatever happens to their object, in whatever state they are,
// their clients go on, or learn that it is over; and who recovers has missed nothing.

import { after, describe, test } from 'node:test';
import assert from 'node:assert/strict';
import { faults, inEveryState } from '../harness/runtime/faults.mjs';
import { startWorkerd } from '../harness/runtime/workerd.mjs';
import { freshNamespace, openClient, openMember } from '../harness/socket/client.mjs';
import { encodePacket } from '../harness/socket/packet.mjs';
import { comeBack, heard, ticket } from '../harness/socket/recovery.mjs';
import { emitFromElsewhere } from '../harness/socket/routes.mjs';
import { workerOnly } from '../harness/target.mjs';

const server = workerOnly.skip ? undefined : await startWorkerd({ storage: true });
after(() => server?.stop());

const recovering = { path: '/recovery/' };

async function assertServes(member) {
  assert.deepEqual(await member.ask('message-with-ack', 'x'), ['x']);
}

/** Somebody in a room, with data. */
async function settledMember(options) {
  const member = await openMember(server, { namespace: freshNamespace(), ...options });
  await member.ask('join', ['b', 'a']);
  await member.ask('set-data', { level: 7 });
  return member;
}

async function assertSettled(member) {
  assert.deepEqual(await member.ask('rooms'), [['a', 'b']]);
  assert.deepEqual(await member.ask('get-data'), [{ level: 7 }]);
}

/** Another part of the Worker emits to the member's room. */
function tell({ namespace }, value, path = recovering.path) {
  return emitFromElsewhere(server, { path, namespace, to: 'a' }, 'news', value);
}

/** Without recovery: who polls goes on, and a WebSocket does if it has outlived the fault. */
const quiet = {
  'connected by WebSocket: goes on, or its connection breaks': async ({ revision }) => {
    const member = await settledMember({ revision });
    const check = async (goesOn) => (goesOn ? assertSettled(member) : member.client.ended());
    return { sid: member.client.sid, check };
  },

  'connected by polling: has its rooms and data, and hears what is sent to it': async ({ revision }) => {
    const member = await settledMember({ revision, transport: 'polling' });
    const check = async () => {
      await tell(member, 1, '/io/');
      await member.expect('news', 1);
      await assertSettled(member);
    };
    return { sid: member.client.sid, check };
  },

  'with a packet half received by WebSocket: is completed, or its connection breaks': async ({ revision }) => {
    const member = await settledMember({ revision });
    const [text, ...bytes] = halves(member);
    await member.client.send(text, bytes[0]);
    const check = async (goesOn) => {
      if (!goesOn) return member.client.ended();
      await member.client.send(bytes[1]);
      return member.expect('message-back', ...bytes);
    };
    return { sid: member.client.sid, check };
  },

  'with a packet half received by polling: is completed, or lost with its session': async ({ revision }) => {
    const member = await settledMember({ revision, transport: 'polling' });
    const [text, ...bytes] = halves(member);
    await member.client.send(text, bytes[0]);
    const check = async (goesOn) => {
      await member.client.try(bytes[1]);
      const heard = member.expect('message-back', ...bytes);
      if (goesOn) return heard;
      // An incomplete packet is saved after a while, or together with something else.
      return heard.catch(({ message }) => assert.match(message, /^closed|Session ID unknown/));
    };
    return { sid: member.client.sid, check };
  },
};

const halves = ({ namespace }) =>
  encodePacket(2, { namespace, data: ['message', Buffer.alloc(3_000, 1), Buffer.of(2)] });

/** What keeps an object awake: it is lost with the object, and says so or does no harm. */
const busy = {
  'about to join, by polling: is refused, and may try again': async ({ revision }) => {
    const client = await openClient(server, { revision, transport: 'polling' });
    await client.join('/');
    // Only newer clients can say how long it takes.
    const slow = revision === 4;
    if (slow) await client.send('0/slow,{"delay":60000}');
    const check = async () => {
      if (slow) assert.match(await client.next('answer to CONNECT'), /^4\/slow,/);
      await assertServes(client.root);
      await assertServes(await client.join('/slow'));
    };
    return { sid: client.sid, check };
  },

  'asked for an acknowledgement by the server: its answer does no harm': async ({ revision }) => {
    const member = await settledMember({ revision, transport: 'polling' });
    await member.client.send(`2${member.prefix}9["ask",60000]`);
    const id = await member.asked('question');
    const check = async () => {
      await member.answer(id, 'late');
      await assertSettled(member);
    };
    return { sid: member.client.sid, check };
  },

  'waiting for an acknowledgement: waits in vain, and is served': async ({ revision }) => {
    const member = await settledMember({ revision, transport: 'polling' });
    await member.client.send(`2${member.prefix}9["slow",60000,1]`);
    return { sid: member.client.sid, check: () => assertSettled(member) };
  },
};

/** Of protocol 5, on a server with recovery: nothing is missed, whatever it was. */
const recoverable = {};
for (const transport of ['websocket', 'polling']) {
  const open = () => openClient(server, { ...recovering, transport });

  recoverable[`connected by ${transport}: comes back, and has missed nothing`] = async () => {
    const { member, holds } = await recoverableMember(transport);
    await tell(member, 'before');
    const check = async () => {
      await tell(member, 'after');
      await assertComesBack(member, await comeBack(open, member.namespace, holds), ['before', 'after']);
    };
    return { sid: member.client.sid, check };
  };

  recoverable[`lost by ${transport}: comes back, and has missed nothing`] = async () => {
    const { member, holds } = await recoverableMember(transport);
    await member.client.lose();
    await server.logs.waitFor({ event: 'disconnected', socket: member.id });
    await tell(member, 'before');
    const check = async () => {
      await assertComesBack(member, await comeBack(open, member.namespace, holds), ['before']);
    };
    return { sid: member.client.sid, check };
  };
}

async function recoverableMember(transport) {
  const member = await settledMember({ ...recovering, transport });
  return { member, holds: await ticket(member) };
}

async function assertComesBack(member, back, missed) {
  assert.deepEqual([back.sid, back.pid], [member.id, member.pid]);
  assert.deepEqual(back.missed.map((data) => data.slice(0, -1)), missed.map((text) => ['news', text]));
  await assertSettled(back.member);
  await tell(member, 'live');
  assert.deepEqual((await heard(back.member)).args, ['news', 'live']);
}

for (const [name, fault] of Object.entries(faults)) {
  for (const revision of [3, 4]) {
    // What keeps an object awake would keep the fault away.
    const states = fault.waits ? quiet : { ...quiet, ...busy };
    const protocol = revision === 3 ? 'protocol 4' : 'protocol 5';
    inEveryState(server, `${protocol}, ${name}`, fault, states, { ...workerOnly, revision });

    test(`${protocol}, ${name}: new clients join`, workerOnly, async () => {
      for (const transport of ['websocket', 'polling']) {
        await assertServes(await openMember(server, { revision, transport, namespace: '/chat' }));
      }
    });
  }

  inEveryState(server, `with recovery, ${name}`, fault, recoverable, workerOnly);
}

describe('while it comes back', workerOnly, () => {
  for (const [name, { strike }] of Object.entries(faults)) {
    for (const transport of ['websocket', 'polling']) {
      test(`by ${transport}, ${name}: comes back again, and has missed nothing`, async () => {
        const open = () => openClient(server, { ...recovering, transport });
        const { member, holds } = await recoverableMember(transport);
        await member.client.lose();
        await server.logs.waitFor({ event: 'disconnected', socket: member.id });
        await tell(member, 'missed');
        const client = await open();
        const [packet] = encodePacket(0, { namespace: member.namespace, data: holds });
        // Nobody waits for it: the fault may be faster than the request.
        const sent = client.send(packet).catch(() => {});
        await strike(server, [client.sid]);
        await sent;
        await assertComesBack(member, await comeBack(open, member.namespace, holds), ['missed']);
      });
    }
  }
});
