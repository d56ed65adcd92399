// A client with somebody behind it: what it does, and its judgement of what it gets.

import { SocketClient } from './client/socket.mjs';
import { Network } from './client/network.mjs';
import { isEqual } from './oracle.mjs';
import { Transcript } from './transcript.mjs';

/** The servers whose clients can come back, if they are of protocol 5. */
const RECOVERING = ['/recovery/', '/spread/'];

/** An object looks for a socket for so long, and it takes some time to notice. */
const RETURN_LIMIT = 15_000 + 5_000;

export class Player {
  /** By namespace: the socket that it has, or may come back to. */
  known = new Map();
  /** By namespace: echoes that are due, in order. */
  #echoes = new Map();
  #later = new Set();
  #endedAt = -Infinity;
  transcript = new Transcript();

  constructor(world, name, options) {
    Object.assign(this, { world, name, options });
    this.network = new Network(world, name, options.network);
    this.client = new SocketClient(this.network, options, {
      asked: (place) => this.world.many?.asked(this, place),
      joined: (place, recovered) => this.#joined(place, recovered),
      left: (place, reason) => this.#left(place, reason),
      refused: (place, error) => this.#refused(place, error),
      event: (place, args, answer, isMissed) => this.#event(place, args, answer, isMissed),
      closed: (reason, session) => this.#closed(reason, session),
      duplicated: () => this.#scramble(),
      violation: (text) => this.isScrambled || this.violation(text),
    });
  }

  get isAtRecovery() {
    return RECOVERING.includes(this.options.path);
  }

  get recovers() {
    return this.isAtRecovery && this.client.protocol === 5;
  }

  violation(text) {
    this.world.oracle.violation(`${this.name}: ${text}`);
  }

  connect() {
    this.world.oracle.counts.sessions += 1;
    this.world.trace(`${this.name} connects`);
    this.client.connect();
  }

  /** Its session may end, from now on, and nobody is to blame. */
  excuse(reason) {
    if (this.client.session) this.client.session.isExcused = reason;
  }

  /** It has asked the application to end its session. */
  expectClose() {
    this.client.session.isClosing = true;
    this.excuse('it wanted to');
  }

  /** What it gets in this session may be lost, or come twice or in another order. */
  #scramble() {
    this.client.session.isScrambled = true;
    for (const socket of this.known.values()) if (!socket.isOver) socket.excuse();
  }

  get isScrambled() {
    return this.client.session?.isScrambled === true;
  }

  // What its client tells.

  #joined(place, recovered) {
    const { oracle, loop } = this.world;
    const before = this.known.get(place.namespace);
    if (!recovered) oracle.over(before);
    const socket = oracle.joined(this, place, recovered);
    if (!socket) return;
    this.transcript.joined(this, place, recovered);
    if (this.isScrambled) socket.excuse();
    socket.gotMissed = undefined;
    this.known.set(place.namespace, socket);
    place.wasRecovered = recovered;
    if (!recovered) {
      if (before?.gotMissed === this.client.epoch && !this.isScrambled)
        this.violation('got what it had missed, and was not recovered');
      this.#echoes.set(place.namespace, []);
      socket.data = [{ name: this.client.protocol === 5 ? this.name : null }];
    }
    this.world.trace(
      `${this.name} is ${place.id} in ${place.namespace}${recovered ? ', recovered' : ''} at ${Math.floor(loop.now)}`,
    );
  }

  #left(place, reason) {
    const socket = this.known.get(place.namespace);
    this.transcript.add('left', place.namespace, reason);
    if (reason === 'session closed' && this.recovers) return;
    const isExpected = socket?.isSentAway || this.client.session.isClosing || this.isScrambled;
    if (reason === 'sent away' && !isExpected) this.violation(`was sent away from ${place.namespace}`);
    this.world.oracle.over(socket);
    if (reason === 'sent away') this.#joinLater(place);
  }

  #joinLater(place) {
    const delay = this.world.random.between(`deeds ${this.name}`, 1_000, 4_000);
    this.world.loop.after(delay, () => this.client.join(place.namespace));
  }

  #refused(place, error) {
    if (place.expectsRefusal) {
      if (!isEqual(error, place.expectsRefusal)) this.violation(`refused with ${JSON.stringify(error)}`);
      place.wanted = false;
      return;
    }
    // Where many objects are one server, it may not have been possible to tell the others.
    const isUntold = this.world.many?.wasTroubled(this.world.loop.now - 30_000);
    if (isUntold) {
      this.excuse('a namespace that it was not let in');
      this.#joinLater(place);
    } else if (!this.world.oracle.excuses.panicked && !this.isScrambled)
      this.violation(`refused in ${place.namespace}: ${JSON.stringify(error)}`);
  }

  #closed(reason, session) {
    this.world.trace(
      `${this.name} is closed: ${reason}${session.isExcused ? ` (${session.isExcused})` : ''}`,
    );
    const isOwn = reason === 'closed';
    // An earlier session of which it is not known that it has ended may get its socket.
    const isSuperseded = this.recovers && this.world.many && this.world.loop.now < this.#endedAt + RETURN_LIMIT;
    this.#endedAt = this.world.loop.now;
    if (!isOwn && !session.isExcused && !isSuperseded) this.violation(`its session ended without a cause: ${reason}`);
    this.world.playerClosed(this);
  }

  #event(place, [name, ...args], answer, isMissed) {
    const socket = this.known.get(place.namespace);
    this.transcript.add('event', place.namespace, name, args);
    if (isMissed) socket.gotMissed = this.client.epoch;
    if (name === 'c') {
      const [number, ...content] = args;
      this.world.oracle.received(socket, number, { namespace: place.namespace, content, isMissed });
      if (answer) this.#answer(number, answer);
    } else if (name === 'message-back') this.#echoed(place, args);
    else if (name === 'later') this.#hasCome(args[0]);
    else if (name === 'question' || name === 'emit-with-ack') this.#question(name, args, answer);
    else if (name === 'welcome') {
      if (!isMissed && args[0].recovered !== place.wasRecovered) this.violation('welcomed as what it is not');
    } else if (name !== 'auth') this.violation(`an event that nobody sent: ${name}`);
  }

  /** Many are asked: some answer late, some not at all. */
  #answer(number, answer) {
    const habit = number % 5;
    if (habit === 0) return;
    this.world.loop.after(habit === 1 ? 1_500 : 5, () => answer([this.name, number]));
  }

  #question(name, args, answer) {
    if (answer) answer(...args);
    else if (name === 'question') this.violation('a question that wants no answer');
  }

  // Echoes.

  expectEcho(place, value) {
    const { epoch } = this.client;
    this.#echoes.get(place.namespace).push({ value, epoch, at: this.world.loop.now });
  }

  #echoed(place, [value]) {
    const due = this.#echoes.get(place.namespace) ?? [];
    const found = due.findIndex((echo) => isEqual(echo.value, value));
    const socket = this.known.get(place.namespace);
    if (found < 0) {
      if (!socket.isExcused)
        this.violation(`an echo of what was not sent, or twice: ${JSON.stringify(value)}`);
      return;
    }
    // What was sent in a session that broke may never have arrived.
    const skipped = due.splice(0, found + 1).slice(0, -1);
    if (skipped.some(({ epoch }) => epoch === this.client.epoch) && !socket.isExcused) {
      this.violation(
        `echoes were lost or came in another order: ${JSON.stringify(skipped.map((echo) => echo.value))}`,
      );
    }
  }

  /** Echoes of this session that have not come. */
  get echoesDue() {
    const { client } = this;
    const here = [...this.#echoes].filter(([namespace]) => client.place(namespace).isConnected);
    return here.flatMap(([namespace, due]) => {
      if (this.known.get(namespace).isExcused) return [];
      return due.filter(({ epoch }) => epoch === client.epoch);
    });
  }

  expectLater(value) {
    this.#later.add(value);
  }

  #hasCome(value) {
    if (!this.#later.delete(value) && !this.isScrambled)
      this.violation(`${value} came later, and nobody asked for it, or twice`);
  }
}
