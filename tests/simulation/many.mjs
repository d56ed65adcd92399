// What must hold of many objects that are one server, beside what must hold of any:
// what an operation says of its end is true, and in time; nobody gets a thing twice;
// all members of a room get the same in the same order. And what cannot be promised when
// memories are lost in the middle of it.

import { MADE, ROOMS, castTo } from './workload.mjs';

const SECOND = 1_000;
/** No event is under way for longer: it waits, is sent, and is answered. */
const LONGEST_EMIT = 20 * SECOND;
/** The answers of joins, and of questions. */
const LONGEST_JOIN = 30 * SECOND;
const LONGEST_QUESTION = 5 * SECOND;
/** On the way from and to the client, and to notice. */
const SLACK = 5 * SECOND;
/** Whatever goes wrong is repaired by then: a call may be late by most of it. */
const HEALED_AFTER = 90 * SECOND;
/** When everybody has read what was sent to them, also those who read nothing for a while. */
const READ_AFTER = 40 * SECOND;
const ANSWERED_AFTER = 3 * SECOND;

const FAILURES = {
  'not done everywhere': 'partial',
  'another object did not answer, and nothing was done': 'unsent',
  'another object did not answer, and some may do it': 'unanswered',
  'too much waits for other objects': 'overloaded',
};

export class Many {
  /** Memories that were lost: when, and of which object. */
  #losses = [];
  #called = new Set();
  /** By whom sockets may be made to leave: where, and when. */
  #leaves = [];

  constructor(world, seed) {
    this.world = world;
    // Clients come back to any object in one half of these worlds.
    this.path = Math.floor(seed / 6) % 2 === 0 ? '/spread/' : '/spread-plain/';
  }

  /** How long after it is acknowledged an event may arrive. */
  get arrivesWithin() {
    return this.path === '/spread/' ? HEALED_AFTER : 0;
  }

  get #now() {
    return this.world.loop.now;
  }

  // What happens to objects.

  crashed(host) {
    this.#lost(host, 'a crash');
    for (const player of this.world.players ?? []) {
      const { session } = player.client;
      const isIn = session?.sid === undefined || isOf(host, session.sid);
      if (isIn) player.excuse('a crash');
    }
  }

  /** The memory of every object of the isolate is lost, but not its sockets. */
  panicked(isolate) {
    for (const host of this.world.platform.objects) {
      if (host.incarnation?.isolate === isolate) this.#lost(host, 'a panic');
    }
  }

  slept(host) {
    this.#lost(host, 'sleep');
  }

  #lost(host, how) {
    this.#losses.push({ at: this.#now, host, how });
  }

  /** An object is called by another one. */
  called(host) {
    this.#called.add(host);
  }

  /** Whether something was lost of the objects that are meant while a message was under way. */
  #losesMeanwhile({ sentAt, handledBy }, isMeant) {
    const until = Math.min(handledBy, sentAt + LONGEST_EMIT) + this.arrivesWithin + SLACK;
    return this.#losses.some((loss) => loss.at >= sentAt - SECOND && loss.at <= until && isMeant(loss));
  }

  // What operations say.

  /** Whether something has gone wrong for which an operation that began then can fail. */
  wasTroubled(at) {
    return this.world.faults.calmSince >= at - HEALED_AFTER;
  }

  /** How an operation has failed: what it is answered with if other objects did not do their part. */
  failureOf([value]) {
    const text = value?.error;
    if (typeof text !== 'string') return undefined;
    return Object.entries(FAILURES).find(([beginning]) => text.startsWith(beginning))?.[1];
  }

  failed(player, what, failure, at) {
    if (!this.wasTroubled(at)) player.violation(`${what} was ${failure}, and nothing had gone wrong`);
  }

  answered(player, [event, operators], at) {
    // Nobody has promised when an alarm is set.
    if ((player.stalledUntil ?? 0) >= at || event === 'set-alarm') return;
    const limit = limitOf(event, operators) + SLACK;
    const took = this.#now - at;
    if (took > limit) player.violation(`${event} was answered after ${Math.floor(took)} ms`);
  }

  /** A message has reached everybody. */
  handled(number) {
    this.world.loop.after(READ_AFTER, () => this.world.oracle.checkReceived(number));
  }

  /**
   * Somebody greets everybody just when another one comes, or has come; or that one alone, if
   * it comes back.
   */
  asked(player, { namespace, id, pid }) {
    const { faults, random, loop } = this.world;
    if (!faults.isActive) return;
    const delay = random.between('greetings', 0, 900);
    const to = pid !== undefined && random.between('greetings', 0, 1) === 1 ? [id] : [];
    loop.after(delay, () => this.greet(namespace, [player], to));
  }

  /** Somebody else than these sends something to these rooms, or to everybody in a namespace. */
  greet(namespace, others = [], to = []) {
    const isThere = (player) => player.client.isOpen && player.client.place(namespace).isConnected;
    const there = this.world.players.filter((player) => isThere(player) && !others.includes(player));
    if (there.length === 0) return;
    const player = this.world.random.pick('greetings', there);
    castTo(player, player.client.place(namespace), { from: 'server', to }, ['a greeting']);
  }

  // Rooms that sockets are made to join, and to leave.

  /** Somebody asks for sockets to leave. `until` is when it is done, if that is known. */
  leaving(namespace) {
    const leave = { namespace, from: this.#now, until: this.#now + 2 * LONGEST_EMIT };
    this.#leaves.push(leave);
    return leave;
  }

  /**
   * Whether a socket is in that room for certain, all the time. A leave that was under way
   * together with the join may have come behind it.
   */
  isInMade({ rooms, namespace }, from, to) {
    const leaves = this.#leaves.filter((leave) => leave.namespace === namespace && leave.from <= to);
    const lasts = (stay) => !leaves.some(({ until }) => until >= stay.mayFrom);
    return rooms.staysIn(MADE).some((stay) => stay.isFrom <= from && lasts(stay));
  }

  // What sockets get.

  received(socket, cast, isLate) {
    if (cast.isUndone) this.world.oracle.violation(`message ${cast.number} was not sent, and came`);
    if (isLate) socket.late.add(cast.number);
    else socket.order.push(cast);
  }

  /** Twice is what is not promised where the hub and the object have lost it together. */
  mayRepeat(socket, cast) {
    const isAwake = (loss) => loss.how !== 'sleep';
    return (
      this.#losesMeanwhile(cast, (loss) => isAwake(loss) && loss.host.isHub) &&
      this.#losesMeanwhile(cast, (loss) => isAwake(loss) && isIn(loss.host, socket))
    );
  }

  // In the end.

  /** Nothing goes wrong any more: what is sent to a room reaches it, and nobody else is asked. */
  async prove(pass) {
    const { players, oracle } = this.world;
    const places = players.flatMap((player) =>
      [...player.client.places.values()].map((place) => ({ player, place })),
    );
    const namespaces = new Set(places.map(({ place }) => place.namespace));
    for (const namespace of namespaces) {
      const found = places.find(({ place }) => place.namespace === namespace && place.isConnected);
      if (!found) continue;
      for (const room of ['', ...ROOMS]) {
        // The first find out whose clients have gone, who has not said so, and who has to be
        // greeted by the hub to say so.
        for (const isLast of [false, false, false, true]) {
          this.#called.clear();
          castTo(found.player, found.place, { from: 'server', to: room === '' ? [] : [room] }, ['proof']);
          await pass(ANSWERED_AFTER);
          if (isLast) this.#checkCalled(namespace, room);
        }
      }
    }
    oracle.checkDelivered();
  }

  #checkCalled(namespace, room) {
    const { oracle, players } = this.world;
    // A client that has lost packets may not know where it is.
    const isUnsure = (host) =>
      players.some(({ client, isScrambled }) => isScrambled && isOf(host, client.session.sid ?? ''));
    const members = [...oracle.sockets.values()].filter(
      (socket) =>
        socket.namespace === namespace &&
        (room === '' || socket.rooms.mayBeIn(room, this.#now - ANSWERED_AFTER, this.#now)),
    );
    for (const host of this.#called) {
      if (!host.isHub && !isUnsure(host) && !members.some((socket) => isIn(host, socket)))
        oracle.violation(`object ${host.name} was called for ${room} in ${namespace}, and has no member`);
    }
  }

  check() {
    const sockets = [...this.world.oracle.sockets.values()].filter(({ isExcused }) => !isExcused);
    for (const socket of sockets) this.#checkSenders(socket);
    for (const [index, one] of sockets.entries()) {
      for (const other of sockets.slice(index + 1)) this.#checkOrder(one, other);
    }
    if (!this.world.oracle.excuses.storage) for (const socket of sockets) this.#checkInterest(socket);
  }

  /** Whether the place of a message may have been given twice. */
  #isAcross(cast) {
    return this.#losesMeanwhile(cast, ({ host }) => host.isHub);
  }

  /**
   * What one sender sends to one room comes as it was sent. The room of an id is none of
   * these: what is for a socket in the same object alone does not wait for what is on its
   * way to others as well.
   */
  #checkSenders(socket) {
    const last = new Map();
    for (const cast of socket.order) {
      for (const room of cast.series === undefined ? [] : roomsOf(cast).filter(isShared)) {
        const key = `${cast.series} ${room}`;
        const before = last.get(key);
        if (!before || before.number < cast.number) last.set(key, cast);
        else if (!this.#isUnsure(before) && !this.#isUnsure(cast))
          this.world.oracle.violation(
            `${socket.player.name} got message ${cast.number} of ${cast.series} after ${before.number}`,
          );
      }
    }
  }

  /** Those that were sent before and after a memory of their sender was lost are of two senders. */
  #isUnsure(cast) {
    return this.#isAcross(cast) || this.#losesMeanwhile(cast, ({ host }) => isOf(host, cast.sender ?? ''));
  }

  /** What two sockets get of one room, both get in the same order. */
  #checkOrder(one, other) {
    if (one.namespace !== other.namespace) return;
    const both = (socket, others) =>
      socket.order.filter(
        (cast) =>
          others.received.has(cast.number) &&
          !others.late.has(cast.number) &&
          roomsOf(cast).length === 1 && !this.#isAcross(cast),
      );
    const [first, second] = [both(one, other), both(other, one)].map((casts) => {
      const rooms = new Map();
      for (const cast of casts) {
        const [room] = roomsOf(cast);
        rooms.set(room, [...(rooms.get(room) ?? []), cast.number]);
      }
      return rooms;
    });
    for (const [room, numbers] of first) {
      const others = second.get(room);
      const place = numbers.findIndex((number, index) => number !== others[index]);
      if (place >= 0)
        this.world.oracle.violation(
          `${one.player.name} got message ${numbers[place]} of ${room} in ${one.namespace} ` +
            `where ${other.player.name} got ${others[place]}`,
        );
    }
  }

  /** Whoever is in a room is noted at its hub. */
  #checkInterest(socket) {
    const { platform, oracle } = this.world;
    if (socket.isOver) return;
    const object = platform.objects.find((host) => !host.isHub && isIn(host, socket));
    const isIts = ({ name }) => name.includes(` h ${socket.namespace} `) || name.endsWith(` l ${socket.namespace}`);
    const hubs = platform.objects.filter(isIts);
    const rooms = ROOMS.filter((room) => socket.rooms.isIn(room, this.#now, this.#now));
    for (const room of ['', ...rooms]) {
      const rows = hubs.flatMap(({ storage }) =>
        storage.look('SELECT node FROM dormouse_interest WHERE room = ?', room),
      );
      if (!rows.some(({ node }) => Buffer.from(node).toString('hex') === object.id))
        oracle.violation(
          `no hub knows that object ${object.name} has a member of ${room} in ${socket.namespace}`,
        );
    }
  }
}

/** The rooms of whose hubs a message needs. */
function roomsOf({ to }) {
  return to.length === 0 ? [''] : [...new Set(to)];
}

function isShared(room) {
  return room === '' || room === MADE || ROOMS.includes(room);
}

function limitOf(event, operators) {
  if (event === 'join') return LONGEST_JOIN;
  if (event === 'make-join') return LONGEST_EMIT + LONGEST_JOIN + SECOND;
  if (event === 'fetch' || event === 'how-many') return LONGEST_QUESTION;
  if (event === 'cast' && operators.ack) return LONGEST_EMIT + operators.timeout + SECOND;
  if (event === 'ask') return 8 * SECOND;
  return LONGEST_EMIT;
}

/** Whether a socket is in an object. One that may come back is where its client is. */
function isIn(host, { id, player }) {
  return isOf(host, player.recovers ? (player.client.session?.sid ?? '') : id);
}

/** Whether a session or socket with this id is in an object. */
function isOf(host, id) {
  // The last character of these is partly of what follows.
  host.beginning ??= Buffer.from(host.id, 'hex').toString('base64url').slice(0, 42);
  return id.includes(host.beginning);
}
