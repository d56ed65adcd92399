// A client of Socket.IO, protocol 4 or 5: its namespaces, its acknowledgements, and
// what it remembers to come back with.

import { EngineClient } from './engine.mjs';
import { ACK, CONNECT, CONNECT_ERROR, DISCONNECT, Decoder, EVENT, encodePacket } from './packet.mjs';

/** One namespace, as one client sees it. */
class Place {
  isConnected = false;
  wanted = false;
  id;
  pid;
  offset;

  constructor(namespace) {
    this.namespace = namespace;
  }
}

export class SocketClient {
  places = new Map();
  session;
  /** Counts sessions: what was sent in one of them has nothing to do with another. */
  epoch = 0;
  #decoder;
  #asked = 0;
  #pending = new Map();
  /** Questions whose namespace the client has left meanwhile. */
  #abandoned = new Set();

  /**
   * `hears`: `asked(place)`, `joined(place, recovered)`, `left(place, reason)`, `refused(place, error)`,
   * `event(place, data, answer)`, `closed(reason, session)`, `violation(text)`.
   */
  constructor(network, options, hears) {
    Object.assign(this, { network, options, hears, protocol: options.revision === 4 ? 5 : 4 });
    this.world = network.world;
  }

  place(namespace) {
    let place = this.places.get(namespace);
    if (!place) this.places.set(namespace, (place = new Place(namespace)));
    return place;
  }

  get isOpen() {
    return this.session?.state === 'open';
  }

  // Coming and going.

  connect() {
    this.epoch += 1;
    this.#decoder = new Decoder();
    this.#abandoned.clear();
    const session = new EngineClient(this.network, this.options, {
      opened: () => this.#opened(),
      message: (data) => this.#message(data),
      closed: (reason) => this.#closed(reason, session),
      duplicated: () => this.hears.duplicated(),
      violation: (text) => this.hears.violation(text),
    });
    this.session = session;
    session.open();
  }

  #opened() {
    // Clients of protocol 4 are in the root namespace unasked, and wait for that.
    if (this.protocol === 4) return;
    for (const place of this.places.values()) if (place.wanted) this.#ask(place);
  }

  join(namespace) {
    const place = this.place(namespace);
    place.wanted = true;
    const waits = this.protocol === 4 && !this.place('/').isConnected;
    if (this.isOpen && !place.isConnected && !place.isAsking && !waits) this.#ask(place);
  }

  #ask(place) {
    place.isAsking = true;
    place.askedAt = this.world.loop.now;
    this.hears.asked(place);
    const { namespace, pid, offset } = place;
    if (this.protocol === 5) {
      const auth = { name: this.network.name, ...(pid && { pid, offset }) };
      this.#send(CONNECT, { namespace, data: auth });
    } else if (namespace !== '/') {
      this.session.send(`0${namespace},`);
    }
  }

  leave(namespace) {
    const place = this.place(namespace);
    place.wanted = false;
    if (!place.isConnected) return;
    this.#send(DISCONNECT, { namespace });
    this.#gone(place, 'left');
  }

  #gone(place, reason) {
    Object.assign(place, { isConnected: false, isAsking: false });
    for (const [id, ask] of this.#pending) {
      if (ask.place !== place) continue;
      this.#pending.delete(id);
      this.#abandoned.add(id);
    }
    if (reason === 'left') place.leftIn = this.epoch;
    if (reason === 'left' || reason === 'sent away') place.pid = undefined;
    this.hears.left(place, reason);
  }

  #closed(reason, session) {
    for (const place of this.places.values()) {
      if (place.isConnected) this.#gone(place, 'session closed');
      place.isAsking = false;
    }
    this.#pending.clear();
    this.hears.closed(reason, session);
  }

  // Events.

  #send(type, packet) {
    for (const message of encodePacket(type, packet)) this.session.send(message);
  }

  /** Sends an event; `onAck` gets the values of its acknowledgement. */
  emit(namespace, data, onAck) {
    const place = this.place(namespace);
    const id = onAck ? (this.#asked += 1) : undefined;
    if (onAck) this.#pending.set(id, { place, data, onAck, at: this.world.loop.now });
    this.#send(EVENT, { namespace, id, data });
    return id;
  }

  /** Questions that have no answer yet. */
  get unanswered() {
    return [...this.#pending.values()];
  }

  #message(data) {
    let packet;
    try {
      packet = this.#decoder.add(data);
    } catch (error) {
      this.hears.violation(error.message);
    }
    if (packet) this.#packet(packet);
  }

  #packet({ type, namespace, id, data }) {
    const place = this.places.get(namespace);
    if (!place) return this.hears.violation(`a packet for ${namespace}, where this client never was`);
    if (type === CONNECT) this.#joined(place, data);
    else if (type === CONNECT_ERROR) this.#refused(place, data);
    else if (type === DISCONNECT) this.#gone(place, 'sent away');
    else if (type === EVENT) this.#event(place, id, data);
    else this.#answered(place, id, data);
  }

  #joined(place, data) {
    if (place.isConnected) return this.hears.violation(`connected twice to ${place.namespace}`);
    const before = place.pid;
    Object.assign(place, { isConnected: true, isAsking: false });
    if (this.protocol === 5) {
      place.id = data.sid;
      place.pid = data.pid;
    } else {
      place.askedAt ??= this.world.loop.now;
      place.id = place.namespace === '/' ? this.session.sid : `${place.namespace}#${this.session.sid}`;
    }
    const recovered = before !== undefined && data?.pid === before;
    if (!recovered) place.offset = undefined;
    this.hears.joined(place, recovered);
    if (this.protocol === 4 && place.namespace === '/') {
      for (const other of this.places.values()) if (other.wanted && other !== place) this.#ask(other);
    }
  }

  #refused(place, data) {
    const isUnasked = this.protocol === 4 && place.namespace === '/';
    if (!place.isAsking && !isUnasked) this.hears.violation(`refused unasked: ${place.namespace}`);
    place.isAsking = false;
    this.hears.refused(place, data);
  }

  #event(place, id, data) {
    // What was missed comes before the answer to CONNECT.
    const isMissed = place.isAsking && place.pid !== undefined;
    if (!place.isConnected && !isMissed) {
      // What was on its way when the client left may come after it has asked anew.
      const isLate = place.leftIn === this.epoch;
      if (!isLate) this.hears.violation(`an event in ${place.namespace} without a connection`);
      return;
    }
    const args = [...data];
    if (place.pid !== undefined && id === undefined) {
      const offset = args.pop();
      if (typeof offset !== 'string')
        this.hears.violation(`an event without an offset: ${JSON.stringify(data)}`);
      place.offset = offset;
    }
    const { epoch } = this;
    const answer =
      id === undefined
        ? undefined
        : (...values) => {
            if (this.epoch === epoch && place.isConnected)
              this.#send(ACK, { namespace: place.namespace, id, data: values });
          };
    this.hears.event(place, args, answer, isMissed);
  }

  #answered(place, id, values) {
    const ask = this.#pending.get(id);
    if (!ask || ask.place !== place) {
      if (!this.#abandoned.delete(id))
        this.hears.violation(`an answer to no question: ${id} in ${place.namespace}`);
      return;
    }
    this.#pending.delete(id);
    ask.onAck(values);
  }
}
