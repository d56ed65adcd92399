// The transports of a client's messages: a WebSocket, or polling. Both add and remove
// Engine.IO's packet type, and answer its pings.

import { assertError } from '../engine/expect.mjs';
import { decode, encode } from '../engine/payload.mjs';

const MESSAGE = 4;

export class WebSocketWire {
  constructor(peer, revision) {
    this.peer = peer;
    this.revision = revision;
  }

  send(messages) {
    for (const message of messages) {
      if (typeof message === 'string') this.peer.send(`${MESSAGE}${message}`);
      else this.peer.send(this.revision === 3 ? Buffer.concat([Buffer.of(MESSAGE), message]) : message);
    }
  }

  try(messages) {
    this.send(messages);
  }

  listen() {}

  beat() {
    this.peer.send(this.revision === 3 ? '2' : '3');
  }

  async next(what, ms) {
    for (;;) {
      const frame = await this.peer.next(what, ms);
      if (typeof frame !== 'string') return this.revision === 3 ? frame.subarray(1) : frame;
      if (frame.startsWith(`${MESSAGE}`)) return frame.slice(1);
      if (frame === '2') this.peer.send('3');
    }
  }

  async ended() {
    await this.peer.end();
    const isMessage = (frame) => typeof frame !== 'string' || frame.startsWith(`${MESSAGE}`);
    return this.peer.pending.filter(isMessage).map((frame) => frame.slice(typeof frame === 'string' ? 1 : 0));
  }

  lose() {
    this.peer.socket._socket.resetAndDestroy();
  }

  async close() {
    this.peer.close();
    await this.peer.end();
  }
}

/** Polls when a message is wanted and not before, unless told to: no request is left open. */
export class PollingWire {
  #messages = [];
  #held;

  constructor(session) {
    this.session = session;
    this.revision = session.revision;
    this.#take(session.others);
  }

  send(messages) {
    return this.session.send(...this.#packets(messages));
  }

  async try(messages) {
    return this.session.post(encode(this.revision, this.#packets(messages)));
  }

  beat() {
    return this.session.send(this.revision === 3 ? '2' : '3');
  }

  #packets(messages) {
    return messages.map((message) => (typeof message === 'string' ? `${MESSAGE}${message}` : message));
  }

  async listen() {
    this.#held = await this.session.hold();
  }

  async #poll() {
    const held = this.#held;
    this.#held = undefined;
    return held ? this.session.packets(await held.response) : this.session.poll();
  }

  async next(what) {
    while (this.#messages.length === 0) {
      const packets = await this.#poll();
      this.#take(packets);
      if (packets.includes('2') && this.revision === 4) await this.session.send('3');
      if (this.#messages.length === 0 && packets.includes('1')) throw new Error(`closed, and no ${what}`);
    }
    return this.#messages.shift();
  }

  #take(packets) {
    for (const packet of packets) {
      if (typeof packet !== 'string') this.#messages.push(packet);
      else if (packet.startsWith(`${MESSAGE}`)) this.#messages.push(packet.slice(1));
    }
  }

  async ended() {
    for (;;) {
      const answer = await this.session.get();
      if (answer.status !== 200) {
        assertError(answer, 1);
        return this.#messages.splice(0);
      }
      this.#take(decode(this.revision, answer));
    }
  }

  lose() {
    return this.close();
  }

  close() {
    return this.session.send('1');
  }
}
