// A client in one namespace: events by their arguments, acknowledgements by their values.

import assert from 'node:assert/strict';
import { encodePacket } from './packet.mjs';

export class Member {
  #asked = 0;

  constructor(client, namespace, { sid, pid }) {
    this.client = client;
    this.namespace = namespace;
    this.prefix = namespace === '/' ? '' : `${namespace},`;
    this.id = sid;
    this.pid = pid;
  }

  /** Sends an event: its name and arguments. */
  emit(...data) {
    return this.client.send(...encodePacket(2, { namespace: this.namespace, data }));
  }

  /** Sends an event with an acknowledgement asked for, which must be what comes next: its values. */
  async ask(...data) {
    const id = (this.#asked += 1);
    await this.client.send(...encodePacket(2, { namespace: this.namespace, id, data }));
    const answer = await this.client.next(`acknowledgement of ${data[0]}`);
    const head = `3${this.prefix}${id}[`;
    assert.ok(answer.startsWith(head), `no ${head}…] but ${answer}`);
    return JSON.parse(answer.slice(head.length - 1));
  }

  /** The next message, attachments included, is this event. */
  expect(...data) {
    return this.client.expect(...encodePacket(2, { namespace: this.namespace, data }));
  }

  /** The same by what it means: attachments may have any order. */
  async receives(...data) {
    const packet = await this.client.packet(`event ${data[0]}`);
    assert.deepEqual(packet.data, data);
    assert.equal(packet.namespace, this.namespace);
    const isBinary = JSON.stringify(data).includes('"Buffer"');
    assert.equal(packet.type, isBinary ? 5 : 2);
  }

  /** The next message is an event that asks for an acknowledgement: its id. */
  async asked(...data) {
    const message = await this.client.next(`question ${data[0]}`);
    const [, id, json] = /^(\d+)(\[.*)$/s.exec(message.slice(1 + this.prefix.length)) ?? [];
    assert.deepEqual([message[0], json && JSON.parse(json)], ['2', data], message);
    return Number(id);
  }

  /** Acknowledges an event that came with this id. */
  answer(id, ...data) {
    return this.client.send(...encodePacket(3, { namespace: this.namespace, id, data }));
  }

  /** Nothing is on its way to this client: what comes next is the answer to this. */
  async nothing() {
    assert.deepEqual(await this.ask('echo-nothing'), []);
  }
}
