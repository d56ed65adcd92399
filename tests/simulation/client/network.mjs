// What is between a client and the platform: delays, and connections that break at
// any moment. Within one connection everything stays in order; between two of the
// same client nothing has to.

import { Body, FakeRequest, Signal } from '../platform/web.mjs';

/** What is in front of the platform drops a connection that has been silent for so long. */
const FORGOTTEN_AFTER = 200_000;
const ORIGIN = 'https://simulated.example';

export class Network {
  #exchanges = new Set();
  #sockets = new Set();

  /** `name` is the client's; its delays come from its own stream. */
  constructor(world, name, { delays = [2, 60] } = {}) {
    Object.assign(this, { world, name, delays });
  }

  #delay() {
    return this.world.random.between(`network ${this.name}`, ...this.delays);
  }

  trace(line) {
    this.world.trace(`${this.name} ${line}`);
  }

  /**
   * Sends a request; `done` gets the answer, or undefined if there is none to be
   * had. A WebSocket's answer has `socket`.
   */
  request(spec, done) {
    const { loop } = this.world;
    const exchange = { spec, done, signal: new Signal(this.world.platform), sentAt: loop.now };
    this.#exchanges.add(exchange);
    this.trace(
      `→ ${spec.method ?? 'GET'} ${spec.path}${spec.body === undefined ? '' : ` ${shorten(spec.body)}`}`,
    );
    loop.after(this.#delay(), () => this.#arrive(exchange));
    return exchange;
  }

  #arrive(exchange) {
    if (exchange.lostOnTheWay) return;
    const { platform } = this.world;
    exchange.arrivedAt = this.world.loop.now;
    this.world.oracle.requestArrived(this, exchange);
    platform.fetch(this.#makeRequest(exchange)).then(
      (response) => this.#leave(exchange, response),
      () => this.#leave(exchange, { status: 500, headers: { plain: () => ({}) }, source: null }),
    );
  }

  #makeRequest(exchange) {
    const { method = 'GET', path, body, contentType, upgrade, chunked } = exchange.spec;
    const headers = { 'user-agent': 'simulated' };
    if (upgrade) headers.upgrade = 'websocket';
    if (body === undefined)
      return new FakeRequest(`${ORIGIN}${path}`, { method, headers, signal: exchange.signal });
    const bytes = Buffer.from(body);
    headers['content-type'] = contentType ?? 'text/plain;charset=UTF-8';
    if (!chunked) headers['content-length'] = String(bytes.length);
    exchange.body = new Body(this.world.platform);
    if (exchange.spec.isUnfinished) exchange.body.push(bytes.subarray(1));
    else this.#deliverBody(exchange, bytes);
    return new FakeRequest(`${ORIGIN}${path}`, {
      method,
      headers,
      body: exchange.body,
      signal: exchange.signal,
    });
  }

  /** Some bodies come in pieces. */
  #deliverBody(exchange, bytes) {
    const stream = `network ${this.name}`;
    const pieces = this.world.random.chance(stream, 0.2) ? 2 : 1;
    const middle = pieces === 1 ? bytes.length : this.world.random.integer(stream, 0, bytes.length);
    if (middle > 0) exchange.body.push(bytes.subarray(0, middle));
    if (pieces === 1) return exchange.body.end();
    this.world.loop.after(this.#delay(), () => {
      if (exchange.lostOnTheWay) return;
      if (middle < bytes.length) exchange.body.push(bytes.subarray(middle));
      exchange.body.end();
    });
  }

  async #leave(exchange, response) {
    const { world } = this;
    world.oracle.requestAnswered(this, exchange, response.status);
    const arrival = world.loop.now + this.#delay();
    const socket = response.webSocket && new ClientSocket(this, response.webSocket, arrival);
    if (socket) this.#sockets.add(socket);
    const body = response.source ? Buffer.from(await response.source.bytes()) : Buffer.alloc(0);
    world.loop.at(arrival, () => {
      this.#exchanges.delete(exchange);
      if (exchange.cut) {
        socket?.cut({});
        return;
      }
      const { status } = response;
      this.trace(`← ${status} ${shorten(body.toString())} (${exchange.spec.path.slice(0, 60)})`);
      exchange.done({ status, headers: response.headers.plain(), body, text: body.toString(), socket });
    });
  }

  /** The client lets go of a request, or its connection breaks. */
  drop(exchange, { reaches = true } = {}) {
    if (exchange.cut || !this.#exchanges.has(exchange)) return;
    exchange.cut = true;
    this.world.loop.after(this.#delay(), () => {
      if (exchange.arrivedAt === undefined && reaches) return;
      exchange.lostOnTheWay = exchange.arrivedAt === undefined || exchange.body !== undefined;
      exchange.body?.fail();
      exchange.signal.abort();
    });
    if (exchange.arrivedAt === undefined && !reaches) exchange.lostOnTheWay = true;
  }

  /** Every connection of this client breaks. */
  cutAll() {
    const { random } = this.world;
    const stream = `network ${this.name}`;
    for (const exchange of [...this.#exchanges]) {
      if (exchange.cut) continue;
      const { done } = exchange;
      this.drop(exchange, { reaches: random.chance(stream, 0.5) });
      done(undefined);
    }
    for (const socket of [...this.#sockets]) {
      socket.cut({ flushes: random.chance(stream, 0.5), halfOpen: random.chance(stream, 0.2) });
    }
  }

  /** Nothing arrives at the client for a while. */
  stall(duration) {
    for (const socket of this.#sockets)
      socket.lastDown = Math.max(socket.lastDown, this.world.loop.now + duration);
  }

  arrivalAfter(earliest) {
    return Math.max(earliest + 0.001, this.world.loop.now + this.#delay());
  }

  forget(socket) {
    this.#sockets.delete(socket);
  }
}

/** The client's end of a WebSocket. */
export class ClientSocket {
  #lastUp = 0;
  #closed = false;
  #upCut = false;
  onframe = () => {};
  onclose = () => {};

  /** `lastDown`: when the client hears that it has this WebSocket. */
  constructor(network, link, lastDown) {
    Object.assign(this, { network, link, lastDown });
    link.connect(this);
  }

  get #world() {
    return this.network.world;
  }

  /** A frame has left the platform. */
  receive(frame) {
    this.lastDown = this.network.arrivalAfter(this.lastDown);
    this.#world.loop.at(this.lastDown, () => this.#arrive(frame));
  }

  #arrive(frame) {
    if (this.#closed) return;
    if (frame.data === undefined) {
      this.network.trace(`← close ${frame.close}`);
      if (frame.close !== 1006) this.#send({ close: frame.close });
      this.#end(frame.close);
      return;
    }
    this.network.trace(`← ${shorten(frame.data)}`);
    this.onframe(frame.data);
  }

  #end(code) {
    if (this.#closed) return;
    this.#closed = true;
    this.network.forget(this);
    this.onclose(code);
  }

  send(data) {
    if (this.#closed) return;
    this.network.trace(`→ ${shorten(data)}`);
    this.#send({ data });
  }

  #send(frame) {
    this.#lastUp = this.network.arrivalAfter(this.#lastUp);
    this.#world.loop.at(this.#lastUp, () => {
      if (!this.#upCut) this.link.object?.receive(this.link, frame);
    });
  }

  /** The client closes; it waits for no answer. */
  close(code = 1000) {
    if (this.#closed) return;
    this.network.trace(`→ close ${code}`);
    this.#send({ close: code });
    this.#closed = true;
    this.network.forget(this);
  }

  /** The connection breaks. Of a half-open one the server hears much later. */
  cut({ flushes = false, halfOpen = false }) {
    if (this.#closed) return;
    this.network.trace(`a WebSocket is cut${halfOpen ? ', and the server does not know' : ''}`);
    this.#upCut = !flushes;
    const lost = this.#world.random.pick(`network ${this.network.name}`, ['close', 'error']);
    this.#lastUp = this.network.arrivalAfter(this.#lastUp) + (halfOpen ? FORGOTTEN_AFTER : 0);
    this.#world.loop.at(this.#lastUp, () => this.link.object?.receive(this.link, { close: 1006, lost }));
    this.#end(1006);
  }
}

export function shorten(data) {
  const text =
    typeof data === 'string' ? data : `<${data.length} bytes ${data.subarray(0, 12).toString('hex')}>`;
  return text.length > 160 ? `${text.slice(0, 150)}…${text.length}` : text;
}
