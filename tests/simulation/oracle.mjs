// What must hold, judged from outside: from what clients have sent, what they were
// told and when. A message is known by its number; whom it may reach and whom it
// must follows from what each socket had asked for, and been granted, meanwhile.

import { ApplicationView } from './application.mjs';
import { Membership } from './membership.mjs';
import { MADE } from './workload.mjs';

/** A poll is answered by the next heartbeat, which an alarm may bring late. */
const LONGEST_POLL = 45_000 + 62_000;
/** Anything else is answered at once, or when an upgrade is out of the way. */
const LONGEST_REQUEST = 2_500;

export class Oracle {
  violations = [];
  sockets = new Map();
  #casts = new Map();
  #requests = new Set();
  /** What was excused, and why: none of it may be judged as strictly. */
  excuses = { storage: false, panicked: false, crashed: false };
  counts = { sessions: 0, casts: 0, received: 0, asked: 0, recovered: 0, requests: 0 };

  constructor(world) {
    this.world = world;
    // An old instance tells the application what it thinks has become of its clients.
    const isUnsure = () => this.excuses.storage || world.faults.kinds.has('moves');
    this.application = new ApplicationView((message) => isUnsure() || this.violation(message));
  }

  get #now() {
    return this.world.loop.now;
  }

  violation(message) {
    this.world.trace(`VIOLATION: ${message}`);
    this.violations.push(message);
  }

  // Requests.

  requestArrived(network, exchange) {
    this.counts.requests += 1;
    this.#requests.add(exchange);
  }

  requestAnswered(network, exchange, status) {
    this.#requests.delete(exchange);
    const took = this.#now - exchange.arrivedAt;
    const isPoll = exchange.spec.method === undefined && exchange.spec.path.includes('sid=');
    const limit = isPoll ? LONGEST_POLL : LONGEST_REQUEST + (exchange.spec.longest ?? 0);
    if (took > limit) this.violation(`${network.name}: ${exchange.spec.path} was answered after ${took} ms`);
    if (status >= 500 && !exchange.cut && !this.world.faults.excuses5xx(exchange)) {
      this.violation(`${network.name}: ${exchange.spec.path} was answered with ${status}`);
    }
  }

  /** Requests that the server still holds, and whose clients wait for them. */
  get unansweredRequests() {
    return [...this.#requests].filter((exchange) => !exchange.cut);
  }

  // Sockets.

  joined(player, place, recovered) {
    const known = this.sockets.get(place.id);
    if (recovered) {
      this.counts.recovered += 1;
      if (!known || known.player !== player || known.isOver) {
        this.violation(`${player.name} recovered socket ${place.id}, which is not its own`);
      }
      if (known) {
        known.offlineSince = undefined;
        known.recoveries.push(this.#now);
      }
      return known;
    }
    // Of protocol 4, ids follow from the session's.
    if (known && !(known.isOver && known.player === player))
      this.violation(`the socket id ${place.id} was given out twice`);
    const socket = new KnownSocket(player, place, this.#now);
    this.sockets.set(place.id, socket);
    return socket;
  }

  /** It is gone for good. */
  over(socket) {
    if (socket) Object.assign(socket, { isOver: true, overAt: this.#now });
  }

  // Messages.

  /** A message to many: its number, which goes along with it. */
  sent(cast) {
    const number = this.#casts.size + 1;
    this.counts.casts += 1;
    this.#casts.set(number, { ...cast, number, sentAt: this.#now, handledBy: Infinity });
    return number;
  }

  /** The server has dealt with it, by now at the latest. */
  handled(number) {
    const cast = this.#casts.get(number);
    cast.handledBy = Math.min(cast.handledBy, this.#now);
    this.world.many?.handled(number);
  }

  /** It was not carried out everywhere; nowhere, if it `isUndone`. */
  failed(number, { isUndone }) {
    const cast = this.#casts.get(number);
    cast.isUndone = isUndone;
    if (isUndone && [...this.sockets.values()].some(({ received }) => received.has(number)))
      this.violation(`message ${number} came, and is said not to be sent`);
  }

  received(socket, number, { namespace, content, isMissed = false }) {
    const cast = this.#casts.get(number);
    const where = `${socket.player.name} in ${namespace}`;
    if (!cast) return this.violation(`${where} got message ${number}, which nobody sent`);
    this.counts.received += 1;
    // Of many objects, others may be without it.
    if (!this.world.many) this.handled(number);
    if (cast.namespace !== namespace) this.violation(`${where} got message ${number} of ${cast.namespace}`);
    if (!isEqual(cast.content, content)) this.violation(`${where} got message ${number} changed`);
    // What could not be written of its rooms, it has not left when it comes back.
    const isUnsure = this.excuses.storage && socket.player.recovers;
    if (!isUnsure && !socket.mayReceive(cast, this.#now)) {
      this.violation(`${where} got message ${number}, which was not for it: ${describe(cast)}`);
    }
    if (socket.received.has(number) && !socket.isExcused && !this.world.many?.mayRepeat(socket, cast)) {
      this.violation(`${where} got message ${number} twice`);
    }
    // What is missed goes by the rooms of now: one may be older than the stay in its room.
    const isLate = isMissed && !socket.mustReceive(cast);
    if (this.world.many) this.world.many.received(socket, cast, isLate);
    else this.#checkOrder(socket, cast, where, isLate);
    socket.received.add(number);
    return undefined;
  }

  #checkOrder(socket, cast, where, isLate) {
    if (cast.series === undefined) return;
    const last = socket.last.get(cast.series) ?? 0;
    if (cast.number < last && !socket.isExcused && !isLate) {
      this.violation(`${where} got message ${cast.number} of ${cast.series} after ${last}`);
    }
    socket.last.set(cast.series, Math.max(last, cast.number));
  }

  /** At the end: who is still there has got everything that it had to. */
  checkDelivered() {
    if (this.excuses.storage) return;
    for (const cast of this.#casts.values()) {
      if (cast.volatile || cast.handledBy === Infinity) continue;
      for (const socket of this.sockets.values()) this.#checkReceived(socket, cast);
    }
  }

  /** Who is there now has got this one, if it had to. */
  checkReceived(number) {
    const cast = this.#casts.get(number);
    if (this.excuses.storage || cast.volatile || cast.handledBy === Infinity) return;
    for (const socket of this.sockets.values()) {
      // Whoever is away gets it when it is back: that is looked at in the end.
      if (!socket.player.recovers) this.#checkReceived(socket, cast);
    }
  }

  #checkReceived(socket, cast) {
    if (socket.isOver || socket.isExcused || socket.received.has(cast.number)) return;
    if (!socket.mustReceive(cast)) return;
    this.violation(`${socket.player.name} never got message ${cast.number}: ${describe(cast)}`);
  }
}

/** A socket that a client was told of, through all its recoveries. */
class KnownSocket {
  received = new Set();
  last = new Map();
  /** Where many objects are one server: what it got, in order. */
  order = [];
  /** What is not in it: it was missed, and comes by the rooms of now. */
  late = new Set();
  isOver = false;
  /** It may lose something from now on, get it twice or out of order. */
  isExcused = false;

  constructor(player, place, now) {
    Object.assign(this, { player, id: place.id, namespace: place.namespace });
    this.askedAt = place.askedAt;
    this.since = now;
    this.rooms = new Membership();
    this.recoveries = [];
  }

  excuse() {
    this.isExcused = true;
  }

  /** Whether its client has been here since then: nothing is done to those who are away. */
  isHereSince(from) {
    const { client } = this.player;
    return client.isOpen && client.place(this.namespace).isConnected && (this.recoveries.at(-1) ?? this.since) <= from;
  }

  #mayBeIn(room, from, to) {
    return room === this.id || room === MADE || this.rooms.mayBeIn(room, from, to);
  }

  #isIn(room, from, to) {
    if (room === MADE) return this.player.world.many.isInMade(this, from, to);
    return room === this.id || this.rooms.isIn(room, from, to);
  }

  #isWhere(cast) {
    return cast.namespace === this.namespace && cast.path === this.player.options.path;
  }

  mayReceive(cast, now) {
    if (!this.#isWhere(cast) || cast.butFor === this.id || now < this.askedAt) return false;
    const from = cast.sentAt;
    const isMeant = cast.to.length === 0 || cast.to.some((room) => this.#mayBeIn(room, from, now));
    return isMeant && !cast.except.some((room) => this.#isIn(room, from, now));
  }

  mustReceive(cast) {
    if (!this.#isWhere(cast) || cast.butFor === this.id || cast.sentAt < this.since) return false;
    // What is logged may arrive later than its sender is told.
    const until = cast.handledBy + (this.player.world.many?.arrivesWithin ?? 0);
    return this.#isMeant(cast, cast.sentAt, until) && this.#mustMiss(cast);
  }

  #isMeant({ to, except }, from, until) {
    const isIn = to.length === 0 || to.some((room) => this.#isIn(room, from, until));
    return isIn && !except.some((room) => this.#mayBeIn(room, from, until));
  }

  /** What it has not got before it came back goes by the rooms that it came back with. */
  #mustMiss(cast) {
    const back = this.recoveries.find((at) => at >= cast.sentAt);
    return back === undefined || this.#isMeant(cast, back, back);
  }
}

function describe({ from, namespace, to, except, sentAt, handledBy }) {
  const time = `${Math.floor(sentAt)}–${Math.floor(handledBy)}`;
  return `from ${from} in ${namespace}, to [${to}] but for [${except}], at ${time}`;
}

/** Whether two values are the same as JSON with bytes in it. */
export function isEqual(a, b) {
  if (Buffer.isBuffer(a) || Buffer.isBuffer(b))
    return Buffer.isBuffer(a) && Buffer.isBuffer(b) && a.equals(b);
  if (Array.isArray(a))
    return Array.isArray(b) && a.length === b.length && a.every((item, i) => isEqual(item, b[i]));
  if (a === null || typeof a !== 'object') return a === b;
  if (b === null || typeof b !== 'object' || Array.isArray(b)) return false;
  const keys = Object.keys(a);
  return keys.length === Object.keys(b).length && keys.every((key) => isEqual(a[key], b[key]));
}
