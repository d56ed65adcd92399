// Socket.IO without a client library: messages in, messages out, over a session
// by WebSocket or by polling, of either revision. A message is a string (the
// packet, without Engine.IO's `4` before it) or a Buffer (an attachment).

import assert from 'node:assert/strict';
import { describe } from 'node:test';
import { assertError } from '../engine/expect.mjs';
import { decode, encode } from '../engine/payload.mjs';
import { openPolling, openSession } from '../engine/session.mjs';
import { sleeping } from '../target.mjs';

const MESSAGE = 4;
const PACKET = /^(\d)(?:(\d+)-)?(?:(\/[^,]*),)?(\d*)(.*)$/s;

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

/**
 * The ways by which rules must hold: each transport and each revision, and by
 * WebSocket again with the object asleep before whatever the client sends.
 * `rules` gets what opens a client and a member in that way.
 */
export function eachWay(server, rules, { path = '/io/', revisions = [4], asleep = true } = {}) {
  const ways = revisions.flatMap((revision) => [
    { revision, transport: 'websocket' },
    { revision, transport: 'polling' },
    ...(asleep ? [{ revision, transport: 'websocket', asleep }] : []),
  ]);
  for (const way of ways) {
    const protocol = way.revision === 3 ? 'protocol 4' : 'protocol 5';
    const name = `${protocol}, ${way.transport}${way.asleep ? ', asleep in between' : ''}`;
    // Whoever puts the object to sleep does so under everyone in it.
    const options = way.asleep ? { concurrency: 1, ...sleeping } : { concurrency: true };
    describe(name, options, () => {
      rules({
        ...way,
        open: (more) => openClient(server, { path, ...way, ...more }),
        member: (more) => openMember(server, { path, ...way, ...more }),
      });
    });
  }
}

let namespaces = 0;

/** A namespace that nobody else is in: broadcasts to everybody stay in the test. */
export function freshNamespace() {
  return `/dynamic-${process.pid}x${(namespaces += 1)}`;
}

/** A packet as its messages: the text, and the attachments that follow it. */
export function encodePacket(type, { namespace = '/', id = '', data }) {
  const attachments = [];
  const json = data === undefined ? '' : JSON.stringify(withPlaceholders(data, attachments));
  const isBinary = attachments.length > 0;
  const head = isBinary ? `${type + 3}${attachments.length}-` : `${type}`;
  return [`${head}${namespace === '/' ? '' : `${namespace},`}${id}${json}`, ...attachments];
}

function withPlaceholders(value, attachments) {
  if (Buffer.isBuffer(value)) {
    return { _placeholder: true, num: attachments.push(value) - 1 };
  }
  if (Array.isArray(value)) return value.map((item) => withPlaceholders(item, attachments));
  if (value === null || typeof value !== 'object') return value;
  const entries = Object.entries(value);
  return Object.fromEntries(entries.map(([key, item]) => [key, withPlaceholders(item, attachments)]));
}

/** The reverse: attachments in place of placeholders. */
function fill(value, attachments) {
  if (Array.isArray(value)) return value.map((item) => fill(item, attachments));
  if (value === null || typeof value !== 'object') return value;
  if (value._placeholder === true && attachments.length > 0) {
    assert.ok(attachments[value.num], `no attachment ${value.num}`);
    return attachments[value.num];
  }
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, fill(item, attachments)]));
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

  /** Messages, one after the other: by polling in one payload. */
  async send(...messages) {
    await this.#pause();
    await this.#wire.send(messages);
  }

  /** A message of which the server may say that it wants no more: the status of a POST. */
  async try(...messages) {
    await this.#pause();
    return this.#wire.try(messages);
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
    const text = await this.next(what);
    const [, type, count, namespace = '/', id, json] = PACKET.exec(text) ?? assert.fail(`no packet: ${shorten(text)}`);
    const attachments = [];
    while (attachments.length < Number(count ?? 0)) attachments.push(await this.next('attachment'));
    const data = json === '' ? undefined : fill(JSON.parse(json), attachments);
    return { type: Number(type), namespace, id: id === '' ? undefined : Number(id), data };
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

  /** What carries it by WebSocket, for tests that mistreat it. */
  get peer() {
    return this.#wire.peer;
  }

  /** The server has ended the session; what it sent before that and nobody took. */
  ended() {
    return this.#wire.ended();
  }

  /** The client is gone without a word: its connection breaks, or it ends its session by polling. */
  async lose() {
    await this.#wire.lose();
  }

  /** The client ends the session. */
  async close() {
    await this.#wire.close();
  }
}

/** A client in one namespace: events by their arguments, acknowledgements by their values. */
class Member {
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

class WebSocketWire {
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

/** Polls when a message is wanted and not before: no request is left open. */
class PollingWire {
  #messages = [];

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

  async next(what) {
    while (this.#messages.length === 0) {
      const packets = await this.session.poll();
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

function shorten(message) {
  const text = typeof message === 'string' ? message : `of ${message.length} bytes`;
  return text.length > 80 ? `${text.slice(0, 80)}…` : text;
}
