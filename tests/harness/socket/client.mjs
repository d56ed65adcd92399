// Socket.IO without a client library: messages in, messages out, over WebSocket or
// via polling, of either revision. A message is a string (the packet, without
// Engine.IO's `4` before it) or a Buffer (an attachment).

import assert from 'node:assert/strict';
import { openPolling, openSession } from '../engine/session.mjs';
import { Member } from './member.mjs';
import { decodeData, decodeText, encodePacket, shorten } from './packet.mjs';
import { PollingWire, WebSocketWire } from './wires.mjs';

/** Opens a session and nothing more: no namespace is joined. */
export async function openClient(server, { transport = 'websocket', asleep = false, ...options } = {}) {
  const { path = '/io/', revision = 4 } = options;
  const open = transport === 'polling' ? openPolling : openSession;
  const session = await open(server, { ...options, path, revision });
  const wire = transport === 'polling' ? new PollingWire(session) : new WebSocketWire(session, revision);
  const pause = () => asleep && server.sleep(session.sid);
  return new Client(wire, { revision, pause, sid: session.sid });
}

/** The same, and a namespace joined: the member of it. */
export async function openMember(server, { namespace = '/', auth, ...options } = {}) {
  const client = await openClient(server, options);
  return client.join(namespace, auth);
}

let namespaces = 0;

/** A namespace that nobody else is in: broadcasts to everybody stay in the test. */
export function freshNamespace() {
  return `/dynamic-${process.pid}x${(namespaces += 1)}`;
}

class Client {
  #wire;
  #pause;

  constructor(wire, { revision, pause, sid }) {
    this.#wire = wire;
    this.#pause = pause;
    this.revision = revision;
    /** Of the session; a socket has an id of its own. */
    this.sid = sid;
  }

  /** Sends messages, one after the other; via polling, in one payload. */
  async send(...messages) {
    await this.#pause();
    await this.#wire.send(messages);
  }

  /** A message of which the server may say that it wants no more: the status of a POST. */
  async try(...messages) {
    await this.#pause();
    return this.#wire.try(messages);
  }

  /** Makes sure that the server can send at once: via polling, it holds a request to answer. */
  async listen() {
    await this.#wire.listen();
  }

  /** A heartbeat of the session beneath: a ping of old clients, a pong of new ones. */
  async beat() {
    await this.#pause();
    await this.#wire.beat();
  }

  next(what = 'message', ms) {
    return this.#wire.next(what, ms);
  }

  /** The next messages are these. */
  async expect(...messages) {
    for (const message of messages) {
      assert.deepEqual(await this.next(`message ${shorten(message)}`), message);
    }
  }

  /** The next packet with its attachments in their places: `{ type, namespace, id, data }`. */
  async packet(what) {
    const { attachments: count, json, ...head } = decodeText(await this.next(what));
    const attachments = [];
    while (attachments.length < count) attachments.push(await this.next('attachment'));
    return { ...head, data: decodeData(json, attachments) };
  }

  /** Joins a namespace and takes the greeting of the test application's `/` and `/custom`. */
  async join(namespace = '/', auth = undefined) {
    // Clients of protocol 4 are in the root namespace already.
    if (this.revision === 3 && namespace === '/' && this.root) return this.root;
    const isGreeted = namespace === '/' || namespace === '/custom';
    const packet = this.revision === 3 ? await this.#joinOld(namespace, auth) : await this.#join(namespace, auth);
    const member = this.as(namespace, packet);
    if (namespace === '/') this.root = member;
    if (isGreeted) member.greeting = JSON.parse((await this.next('greeting')).slice(1 + member.prefix.length));
    return member;
  }

  /** The member of a namespace that the client has joined by what it sent itself. */
  as(namespace, connected) {
    return new Member(this, namespace, connected);
  }

  async #join(namespace, auth) {
    const [prefix] = encodePacket(0, { namespace });
    await this.send(...encodePacket(0, { namespace, data: auth }));
    const answer = await this.next(`answer to CONNECT ${namespace}`);
    assert.ok(answer.startsWith(`${prefix}{`), `no CONNECT but ${answer}`);
    return JSON.parse(answer.slice(prefix.length));
  }

  async #joinOld(namespace, auth) {
    if (namespace === '/') {
      await this.expect('0');
      return { sid: this.sid };
    }
    // The server has put this client into the root namespace, and greeted it.
    if (!this.root) await this.join('/');
    const query = auth ? `?${new URLSearchParams(auth)}` : '';
    await this.send(`0${namespace}${query},`);
    await this.expect(`0${namespace},`);
    return { sid: `${namespace}#${this.sid}` };
  }

  /** The WebSocket that carries it, for tests that mistreat it. */
  get peer() {
    return this.#wire.peer;
  }

  /** The server has ended the session; what it sent before that and nobody took. */
  ended() {
    return this.#wire.ended();
  }

  /** The client is gone without a word: its connection breaks, or it ends its polling session. */
  async lose() {
    await this.#wire.lose();
  }

  /** The client ends the session. */
  async close() {
    await this.#wire.close();
  }
}
