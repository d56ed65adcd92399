// Clients that are there and say nothing: they keep to the heartbeat of their
// revision, and count what comes and goes. As little as possible, so that ten
// thousand of them fit into one process.

import http from 'node:http';
import WebSocket from 'ws';
import { decode, encode } from '../harness/engine/payload.mjs';

const MESSAGE = '4';
/** What a client says to be in the root namespace, and the beginning of the answer. */
const JOIN = `${MESSAGE}0`;

const agent = new http.Agent({ keepAlive: true, maxSockets: Infinity });

/**
 * Opens a client of an object. `namespace`: it is one of Socket.IO, in the root
 * namespace. It is settled when the handshake is over.
 */
export async function openClient(server, { revision, transport, path, object, isSocketIo }) {
  const query = { EIO: revision, transport, object };
  const options = { revision, path, query, joins: isSocketIo && revision === 4 };
  const Kind = transport === 'polling' ? PollingClient : SocketClient;
  const client = new Kind(server, options);
  await client.opened;
  return client;
}

/** What both have in common: what they have sent and got, and what is wrong. */
class Client {
  /** Packets that came. */
  received = 0;
  /** Packets that were sent. */
  sent = 0;
  /** It is about to be closed; whatever happens to it now is no failure. */
  isClosed = false;
  /** Why this client is no longer idle. */
  failure = null;

  constructor({ revision, joins }) {
    this.revision = revision;
    this.joins = joins;
    const { promise, resolve, reject } = Promise.withResolvers();
    this.opened = promise;
    this.settle = resolve;
    this.fail = (error) => {
      if (!this.isClosed) this.failure ??= error;
      reject(error);
    };
    promise.catch(() => {});
  }

  handle(packet) {
    this.received += 1;
    if (packet[0] === '0' && this.joins) this.send(JOIN);
    else if (packet[0] === '0' || packet.startsWith(JOIN)) this.settle();
    if (packet === '2') this.beat();
    if (packet === '1') this.fail(new Error('the server closed a session'));
  }

  /** Of revision 3 a ping, of revision 4 the answer to one. */
  beat() {
    this.send(this.revision === 3 ? '2' : '3');
  }

  say(text) {
    this.send(`${MESSAGE}${text}`);
  }
}

class SocketClient extends Client {
  constructor(server, options) {
    super(options);
    const url = `${server.wsUrl}${options.path}?${new URLSearchParams(options.query)}`;
    this.socket = new WebSocket(url, { perMessageDeflate: false });
    this.socket.on('message', (data) => this.handle(data.toString()));
    this.socket.on('error', this.fail);
    this.socket.on('close', (code) => this.fail(new Error(`a WebSocket was closed with ${code}`)));
  }

  send(packet) {
    this.sent += 1;
    this.socket.send(packet);
  }

  close() {
    this.socket.terminate();
  }

  /** How many requests of it the server is to hold. */
  get polls() {
    return 0;
  }

  get isQuiet() {
    return true;
  }
}

class PollingClient extends Client {
  /** Requests under way, the poll among them. */
  requests = 0;
  isPolling = false;
  #queue = [];

  constructor(server, options) {
    super(options);
    Object.assign(this, { url: server.url, path: options.path, query: options.query });
    this.#poll();
  }

  /** One request after the other, as the protocol wants it. */
  send(packet) {
    this.sent += 1;
    this.#queue.push(packet);
    if (this.#queue.length === 1) this.#post();
  }

  close() {
    this.held?.destroy();
  }

  get polls() {
    return 1;
  }

  /** It waits for the server, and for nothing else. */
  get isQuiet() {
    return this.requests === 1 && this.isPolling;
  }

  async #poll() {
    while (!this.isClosed) {
      this.isPolling = true;
      const answer = await this.#request('GET').catch(this.fail);
      this.isPolling = false;
      if (!answer) return;
      for (const packet of decode(this.revision, answer)) {
        if (packet[0] === '0') this.query.sid = JSON.parse(packet.slice(1)).sid;
        this.handle(packet);
      }
    }
  }

  async #post() {
    while (this.#queue.length > 0) {
      await this.#request('POST', encode(this.revision, [this.#queue[0]])).catch(this.fail);
      this.#queue.shift();
    }
  }

  #request(method, body) {
    const { promise, resolve, reject } = Promise.withResolvers();
    const url = `${this.url}${this.path}?${new URLSearchParams(this.query)}`;
    const headers = { 'content-type': 'text/plain;charset=UTF-8' };
    const request = http.request(url, { method, agent, headers }, async (response) => {
      const chunks = await response.toArray().catch(reject);
      const text = Buffer.concat(chunks ?? []).toString();
      if (response.statusCode !== 200) reject(new Error(`${method}: ${response.statusCode} ${text}`));
      else resolve({ text, body: Buffer.from(text), headers: response.headers });
    });
    request.on('error', reject);
    request.end(body);
    if (method === 'GET') this.held = request;
    this.requests += 1;
    return promise.finally(() => (this.requests -= 1));
  }
}
