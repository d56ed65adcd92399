// Connection state recovery, from the client's side.

import assert from 'node:assert/strict';
import { encodePacket } from './packet.mjs';

/** The next event: its arguments, and the offset behind them. */
export async function heard({ client }) {
  const { data } = await client.packet('event with an offset');
  assert.equal(typeof data.at(-1), 'string', `no offset: ${JSON.stringify(data)}`);
  return { args: data.slice(0, -1), offset: data.at(-1) };
}

/** What a client holds that has heard something: what it comes back with. */
export async function ticket(member) {
  await member.emit('message', 'first');
  const { args, offset } = await heard(member);
  assert.deepEqual(args, ['message-back', 'first']);
  return { pid: member.pid, offset };
}

/** Connects with this auth: what it is sent before the answer, and the answer. */
export async function comeBack(open, namespace, auth) {
  const client = await open();
  await client.send(...encodePacket(0, { namespace, data: auth }));
  const missed = [];
  for (;;) {
    const { type, data } = await client.packet('CONNECT');
    if (type === 0) return { ...data, missed, member: client.as(namespace, data) };
    assert.ok(type === 2 || type === 5, `packet type ${type}`);
    missed.push(data);
  }
}

/** The member is gone without a word, and the server knows. */
export async function lose({ logs }, member) {
  await member.client.lose();
  await logs.waitFor({ event: 'disconnected', socket: member.id });
}

/** It is somebody new: nothing of the old socket is there. */
export async function assertFresh({ logs }, old, answer) {
  assert.deepEqual(answer.missed, []);
  assert.notEqual(answer.sid, old.id);
  assert.notEqual(answer.pid, old.pid);
  assert.deepEqual(await answer.member.ask('rooms'), [[]]);
  const line = await logs.waitFor({ event: 'connected', socket: answer.sid });
  assert.equal(line.recovered, false);
}
