// Engine.IO without a client library: a session via polling, request by request, or over
// WebSocket, frame by frame.

import assert from 'node:assert/strict';
import { once } from 'node:events';
import { fetchRaw, send } from '../wire/http.mjs';
import { openWebSocket } from '../wire/websocket.mjs';
import { decode, encode } from './payload.mjs';

/** Opens a polling session: the handshake and the request of each kind. */
export async function openPolling(server, options = {}) {
  const { revision = 4, path = '/sleepy/', query = {}, headers = {} } = options;
  const answer = await fetchRaw(server, {
    path,
    query: { EIO: revision, transport: 'polling', ...query },
    headers,
  });
  assert.equal(answer.status, 200, `handshake: ${answer.text}`);
  const [packet, ...others] = decode(revision, answer);
  return new PollingSession(server, { revision, path, handshake: parseHandshake(packet), answer, others });
}

class PollingSession {
  constructor(server, { revision, path, handshake, answer, others }) {
    Object.assign(this, { server, revision, path, handshake, answer, others });
    this.sid = handshake.sid;
  }

  #options({ query, ...options }) {
    return {
      path: this.path,
      query: { EIO: this.revision, transport: 'polling', sid: this.sid, ...query },
      ...options,
    };
  }

  /** A request whose connection the test may drop: `{ request, response }`. */
  start(options = {}) {
    return send(this.server, this.#options(options));
  }

  /**
   * A request that has certainly reached the server, since a later one has been
   * answered: `{ request, response }`.
   */
  async hold(options) {
    const held = this.start(options);
    await once(held.request, 'finish');
    await openPolling(this.server, { path: this.path });
    return held;
  }

  get(options = {}) {
    return fetchRaw(this.server, this.#options(options));
  }

  /** The body as it is, bytes or text. */
  post(body, options = {}) {
    const headers = { 'content-type': 'text/plain;charset=UTF-8', ...options.headers };
    return fetchRaw(this.server, this.#options({ method: 'POST', body, ...options, headers }));
  }

  /** Sends packets and insists on the `ok`. */
  async send(...packets) {
    const answer = await this.post(encode(this.revision, packets));
    assert.deepEqual([answer.status, answer.text], [200, 'ok']);
  }

  /** The packets of the next poll. */
  async poll(options) {
    return this.packets(await this.get(options));
  }

  /** The packets of the answer to a poll. */
  packets(answer) {
    assert.equal(answer.status, 200, answer.text);
    return decode(this.revision, answer);
  }

  /** Packets of as many polls as it takes to have `count`. */
  async collect(count) {
    const packets = [];
    while (packets.length < count) packets.push(...(await this.poll()));
    return packets;
  }

  /** Sends a message and insists on its echo. */
  async echo(text) {
    await this.send(`4${text}`);
    assert.deepEqual(await this.poll(), [`4${text}`]);
  }

  /** Begins an upgrade: a WebSocket with this sid. */
  upgrade(options = {}) {
    const query = { EIO: this.revision, sid: this.sid, ...options.query };
    return openWebSocket(this.server, { path: this.path, ...options, query });
  }

  /** A whole upgrade as a client does it: probe, close the poll, `5`. */
  async upgraded() {
    const peer = await this.upgrade();
    const held = this.poll();
    peer.send('2probe');
    assert.equal(await peer.next(), '3probe');
    assert.deepEqual(await held, ['6']);
    peer.send('5');
    return peer;
  }
}

/** Opens a session over WebSocket alone. */
export async function openSession(server, { revision = 4, query, ...options } = {}) {
  const peer = await openWebSocket(server, { ...options, query: { EIO: revision, ...query } });
  peer.handshaken = parseHandshake(await peer.next('handshake'));
  peer.sid = peer.handshaken.sid;
  return peer;
}

/** The packet that a new session begins with. */
function parseHandshake(packet) {
  assert.equal(packet[0], '0', `no handshake but ${packet}`);
  return JSON.parse(packet.slice(1));
}
