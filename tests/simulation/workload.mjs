// What the people behind the clients do, with what they expect of it. The test
// application's events are told in tests/harness/reference/socket-servers.mjs.

import { isEqual } from './oracle.mjs';

export const NAMESPACES = ['/', '/chat', '/dynamic-7'];
/** In the last, sockets are known to other objects for a while before they are connected. */
export const NAMESPACES_OF_MANY = [...NAMESPACES, '/slow-7'];
export const ROOMS = ['red', 'green', 'blue'];
/** A room that sockets are in because somebody else wanted it. */
export const MADE = 'gold';
const TEXTS = ['', 'plain', 'é 🦔 \u2028 "quoted" \\n', 'x'.repeat(1_500), '{"_placeholder":"no"}', ',0[1]'];
/** A handler that is waiting when another panics, or the object crashes, is lost. */
const FRAGILE = { isFragile: true };

/** Weights, and what is done. Each gets the player and a place it is connected to. */
const DEEDS = [
  [14, cast],
  [4, castVolatile],
  [3, castAndAsk],
  [6, direct],
  [8, echo],
  [5, askBack],
  [6, join],
  [4, leave],
  [3, askRooms],
  [2, setData],
  [2, getData],
  [2, slow],
  [2, later],
  [2, beAsked],
  [2, who],
  [2, fetchSockets],
  [1, leaveNamespace],
  [1, beSentAway],
  [1, sendAway],
  [1, unknownNamespace],
  [1, endSession],
  [3, route],
  [3, setAlarm],
];

/** Where many objects are one server, what is said to many matters most. */
const DEEDS_OF_MANY = [...DEEDS, [10, cast], [4, join], [3, makeJoin], [3, makeLeave], [2, howMany]];

/** Does something. */
export function act(player) {
  const { random } = player.world;
  const places = [...player.client.places.values()].filter((place) => place.isConnected);
  if (!player.client.isOpen || places.length === 0) return;
  const stream = `deeds ${player.name}`;
  const place = random.pick(stream, places);
  const deeds = player.world.isMany ? DEEDS_OF_MANY : DEEDS;
  const total = deeds.reduce((sum, [weight]) => sum + weight, 0);
  let chosen = random.stream(stream)() * total;
  const [, deed] = deeds.find(([weight]) => (chosen -= weight) < 0);
  deed(player, place, new Choices(random, stream));
}

class Choices {
  constructor(random, stream) {
    Object.assign(this, { random, stream });
  }
  chance(probability) {
    return this.random.chance(this.stream, probability);
  }
  pick(values) {
    return this.random.pick(this.stream, values);
  }
  some(values, probability) {
    return values.filter(() => this.chance(probability));
  }
  integer(low, high) {
    return this.random.integer(this.stream, low, high);
  }
  /** A few values, bytes among them now and then. */
  content() {
    const values = [this.pick(TEXTS), this.integer(-5, 1_000_000)];
    if (this.chance(0.2))
      values.push(Buffer.from(this.pick(['', 'bytes', '\u0004\u001e4hello', 'y'.repeat(3_000)])));
    if (this.chance(0.2))
      values.push({ nested: [null, true, this.chance(0.3) ? Buffer.of(1, 2, 3) : 'text'] });
    return values;
  }
}

/**
 * Asks, and judges the answer. `more`: whether it may be lost with a panic, and what follows
 * if other objects have not done their part.
 */
function ask(player, place, data, check, { failed, ...more } = {}) {
  const { oracle, loop, many } = player.world;
  oracle.counts.asked += 1;
  const at = loop.now;
  const id = player.client.emit(place.namespace, data, (values) => {
    player.transcript.add('answer', place.namespace, data[0], values);
    many?.answered(player, data, at);
    const failure = many?.failureOf(values);
    if (failure) {
      many.failed(player, data[0], failure, at);
      failed?.({ isUndone: failure === 'unsent' || failure === 'overloaded' });
      return;
    }
    const wrong = check(values, at);
    if (wrong && !player.known.get(place.namespace).isExcused)
      player.violation(`${data[0]} was answered with ${JSON.stringify(values).slice(0, 300)}: ${wrong}`);
  });
  // Any answer may wait for other objects.
  const fragile = many ? FRAGILE : {};
  Object.assign(player.client.unanswered.find((pending) => pending.data === data) ?? {}, fragile, more, { id });
}

/** Whether a socket is in the same namespace of the same server. */
function isBeside(player, place, socket) {
  return socket.namespace === place.namespace && socket.player.options.path === player.options.path;
}

const isOk = ([answer]) => (answer === 'ok' ? undefined : 'no ok');

// Messages to many.

function sent(player, place, operators, content, more = {}) {
  const { name, client } = player;
  return player.world.oracle.sent({
    from: name,
    sender: client.session.sid,
    path: player.options.path,
    series: `${name} ${client.epoch} ${place.namespace}`,
    namespace: place.namespace,
    to: [...(operators.to ?? []), ...(operators.in ?? [])],
    except: operators.except ?? [],
    butFor: operators.from === 'server' ? undefined : place.id,
    volatile: operators.volatile,
    content,
    ...more,
  });
}

function chooseOperators(player, place, choices) {
  const ids = [...player.world.oracle.sockets.values()].filter(
    (it) => isBeside(player, place, it) && !it.isOver,
  );
  const rooms = [...ROOMS, ...(player.world.isMany ? [MADE] : []), choices.pick(ids).id];
  return {
    ...(choices.chance(0.5) && { from: 'server' }),
    to: choices.some(rooms, 0.3),
    in: choices.some(ROOMS, 0.1),
    except: choices.some(rooms, 0.15),
  };
}

function cast(player, place, choices, more = {}) {
  const operators = { ...chooseOperators(player, place, choices), ...more };
  castTo(player, place, operators, choices.content());
}

export function castTo(player, place, operators, content) {
  const { oracle } = player.world;
  const number = sent(player, place, operators, content);
  const check = (values) => {
    oracle.handled(number);
    return isOk(values);
  };
  const failed = (how) => oracle.failed(number, how);
  ask(player, place, ['cast', operators, 'c', number, ...content], check, { failed });
}

function castVolatile(player, place, choices) {
  cast(player, place, choices, { volatile: true });
}

/** Everybody is asked, and whoever answers does so with its name and the number. */
function castAndAsk(player, place, choices) {
  const timeout = choices.pick([500, 3_000]);
  const operators = { ...chooseOperators(player, place, choices), ack: true, timeout };
  const content = choices.content();
  // What asks for an answer is not kept for those who are away.
  const number = sent(player, place, operators, content, { volatile: player.isAtRecovery });
  const check = ([outcome, answers]) => {
    player.world.oracle.handled(number);
    if (outcome !== 'ok' && outcome !== 'timeout') return 'no outcome';
    if (answers.some((answer) => answer[1] !== number)) return 'an answer to another question';
    const names = answers.map(([name]) => name);
    return names.every((name) => player.world.players.some((other) => other.name === name))
      ? undefined
      : 'answers of nobody';
  };
  const failed = (how) => player.world.oracle.failed(number, how);
  ask(player, place, ['cast', operators, 'c', number, ...content], check, { ...FRAGILE, failed });
}

function direct(player, place, choices) {
  const { oracle } = player.world;
  const others = [...oracle.sockets.values()].filter((it) => it.namespace === place.namespace);
  const { id } = choices.pick(others);
  const content = choices.content();
  const number = sent(player, place, { from: 'server', to: [id] }, content);
  const check = (values) => {
    oracle.handled(number);
    return isOk(values);
  };
  const failed = (how) => oracle.failed(number, how);
  ask(player, place, ['direct', id, 'c', number, ...content], check, { failed });
}

/** Another part of the Worker sends. */
function route(player, place, choices) {
  const { oracle, loop } = player.world;
  const operators = { from: 'server', to: choices.some(ROOMS, 0.4), except: choices.some(ROOMS, 0.2) };
  const content = choices.content().filter((value) => !JSON.stringify(value).includes('Buffer'));
  const more = { series: undefined, from: 'a route', sender: undefined };
  const number = sent(player, place, operators, content, more);
  const query = new URLSearchParams({ path: player.options.path, namespace: place.namespace, event: 'c' });
  for (const room of operators.to) query.append('to', room);
  for (const room of operators.except) query.append('except', room);
  const body = JSON.stringify([number, ...content]);
  const { many } = player.world;
  const longest = many ? 30_000 : undefined;
  player.network.request(
    { method: 'POST', path: `/io-route/emit?${query}`, body, isRoute: true, longest },
    (answer) => {
      if (answer?.status === 200) oracle.handled(number);
      else if (answer && !oracle.excuses.crashed && !oracle.excuses.storage && !oracle.excuses.panicked) {
        if (!many?.wasTroubled(loop.now - 30_000))
          player.violation(`a route answered ${answer.status} ${answer.text}`);
      }
    },
  );
}

// Between the client and the application.

function echo(player, place, choices) {
  const value = [player.name, player.world.oracle.counts.asked, choices.content()];
  player.world.oracle.counts.asked += 1;
  for (let times = choices.integer(1, 3); times > 0; times -= 1) {
    const each = [...value, times];
    player.expectEcho(place, each);
    player.client.emit(place.namespace, ['message', each]);
  }
}

function askBack(player, place, choices) {
  const content = choices.content();
  ask(player, place, ['message-with-ack', ...content], (values) =>
    isEqual(values, content) ? undefined : 'not what was sent',
  );
}

function slow(player, place, choices) {
  const value = [player.name, choices.integer(0, 1e9)];
  const check = (values) => (isEqual(values, [value]) ? undefined : 'not what was sent');
  ask(player, place, ['slow', choices.integer(1, 4_000), value], check, FRAGILE);
}

function later(player, place, choices) {
  const value = `${player.name} ${player.world.oracle.counts.asked} ${choices.integer(0, 1e9)}`;
  player.world.oracle.counts.asked += 1;
  player.expectLater(value);
  player.client.emit(place.namespace, ['later', choices.integer(0, 3_000), value]);
}

function beAsked(player, place, choices) {
  const content = choices.content();
  const check = ([outcome, ...values]) => {
    if (outcome === 'answer') return isEqual(values, content) ? undefined : 'not what was answered';
    return outcome === 'timeout' || outcome === 'gone' ? undefined : 'no outcome';
  };
  ask(player, place, ['ask', 8_000, ...content], check, FRAGILE);
}

function who(player, place) {
  ask(player, place, ['who'], ([id, namespace]) =>
    id === place.id && namespace === place.namespace ? undefined : 'somebody else',
  );
}

/** Some handlers wait for something, and may be cut off meanwhile. */
function setAlarm(player, place, choices) {
  const { oracle } = player.world;
  const name = `${choices.pick(['now', 'later'])}-${player.name}x${oracle.counts.asked}`;
  const after = choices.pick([0, 700, 9_000, 30_000, 60_000]);
  const check = (values) => {
    const wrong = isOk(values);
    // What cannot be stored is not set, and the client is told so.
    const isUntold = player.world.many?.wasTroubled(player.world.loop.now - 30_000);
    if (wrong) return oracle.excuses.storage || isUntold ? undefined : wrong;
    oracle.application.alarmSet(name);
    return undefined;
  };
  ask(player, place, ['set-alarm', name, after], check, FRAGILE);
}

// Rooms and data.

function join(player, place, choices) {
  const { loop } = player.world;
  const socket = player.known.get(place.namespace);
  const rooms = choices.some(ROOMS, 0.5);
  const stays = rooms.map((room) => socket.rooms.asked(room, loop.now));
  ask(player, place, ['join', rooms], ([names]) => {
    stays.forEach((stay) => socket.rooms.granted(stay, loop.now));
    // It may have left some of them since.
    const isMissing = (room) => !names.includes(room) && socket.rooms.isIn(room, loop.now, loop.now);
    return rooms.some(isMissing) ? 'not in the rooms it joined' : undefined;
  });
}

function leave(player, place, choices) {
  const { loop } = player.world;
  const socket = player.known.get(place.namespace);
  const room = choices.pick(ROOMS);
  const stays = socket.rooms.leaving(room, loop.now);
  ask(player, place, ['leave', room], ([names]) => {
    socket.rooms.gone(stays, loop.now);
    return names.includes(room) ? 'still in the room it left' : undefined;
  });
}

/** Where many objects are one server: all in a room, or one socket, join or leave this room. */
function chooseMade(player, place, choices) {
  const beside = [...player.world.oracle.sockets.values()].filter((it) => isBeside(player, place, it));
  const { id } = choices.pick(beside.filter(({ isOver }) => !isOver));
  return { from: 'server', to: [choices.pick([...ROOMS, id])] };
}

function makeJoin(player, place, choices) {
  const { loop, oracle } = player.world;
  const operators = chooseMade(player, place, choices);
  const cast = { path: player.options.path, namespace: place.namespace, except: [], sentAt: loop.now };
  ask(player, place, ['make-join', operators, MADE], (values) => {
    for (const socket of oracle.sockets.values()) {
      if (!socket.isHereSince(cast.sentAt)) continue;
      if (!socket.mustReceive({ ...cast, to: operators.to, handledBy: loop.now })) continue;
      socket.rooms.granted(socket.rooms.asked(MADE, cast.sentAt), loop.now);
    }
    return isOk(values);
  });
}

function makeLeave(player, place, choices) {
  const leave = player.world.many.leaving(place.namespace);
  ask(player, place, ['make-leave', chooseMade(player, place, choices), MADE], (values) => {
    leave.until = player.world.loop.now;
    return isOk(values);
  });
}

function howMany(player, place, choices) {
  const { oracle, loop } = player.world;
  const to = choices.some(ROOMS, 0.3);
  ask(player, place, ['how-many', { from: 'server', to }], ([count], at) => {
    const asked = { path: player.options.path, namespace: place.namespace, to, except: [], sentAt: at };
    const isHere = (it) => !it.isOver && !it.player.client.session.isExcused && it.isHereSince(at);
    const here = [...oracle.sockets.values()].filter((it) => isBeside(player, place, it) && isHere(it));
    const least = here.filter((it) => it.mustReceive({ ...asked, handledBy: loop.now }));
    if (count < least.length) return `not the ${least.length} that are there`;
    return typeof count === 'number' ? undefined : 'no number';
  });
}

function askRooms(player, place) {
  const socket = player.known.get(place.namespace);
  ask(player, place, ['rooms'], ([names], at) => {
    const { now } = player.world.loop;
    const others = names.filter((room) => room !== MADE);
    if (others.some((room) => !socket.rooms.mayBeIn(room, at, now))) return 'rooms that it is not in';
    return ROOMS.some((room) => socket.rooms.isIn(room, at, now) && !names.includes(room))
      ? 'rooms are missing'
      : undefined;
  });
}

function setData(player, place, choices) {
  const socket = player.known.get(place.namespace);
  const value = { name: player.name, number: choices.integer(0, 1e6), text: choices.pick(TEXTS) };
  socket.data.push(value);
  ask(player, place, ['set-data', value], (values) => {
    socket.data = socket.data.slice(socket.data.indexOf(value));
    return isOk(values);
  });
}

function getData(player, place) {
  const socket = player.known.get(place.namespace);
  const candidates = [...socket.data];
  ask(player, place, ['get-data'], ([value]) => {
    const known = [...candidates, ...socket.data];
    const isUnsure = player.world.oracle.excuses.storage && player.recovers;
    return isUnsure || known.some((candidate) => isEqual(candidate, value))
      ? undefined
      : `not ${JSON.stringify(candidates)}`;
  });
}

function fetchSockets(player, place, choices) {
  const { oracle, loop } = player.world;
  const to = choices.some(ROOMS, 0.3);
  ask(player, place, ['fetch', { from: 'server', to }], ([list], at) => {
    const ids = list.map(([id]) => id);
    const isAlive = (socket) =>
      !socket.isOver && !socket.player.recovers && !socket.player.client.session.isExcused;
    const isHere = (socket) => isAlive(socket) && socket.since <= at && isBeside(player, place, socket);
    for (const socket of oracle.sockets.values()) {
      const isMember = to.length === 0 || to.some((room) => socket.rooms.isIn(room, at, loop.now));
      if (isHere(socket) && isMember && !ids.includes(socket.id)) return `${socket.id} is missing`;
    }
    return new Set(ids).size === ids.length ? undefined : 'somebody twice';
  });
}

// Coming and going.

/** Clients of protocol 4 are in the root namespace once, and not again. */
function isForGood({ client }, { namespace }) {
  return client.protocol === 4 && namespace === '/';
}

function leaveNamespace(player, place, choices) {
  if (isForGood(player, place)) return;
  player.client.leave(place.namespace);
  player.world.loop.after(choices.integer(0, 3_000), () => player.client.join(place.namespace));
}

function beSentAway(player, place, choices) {
  if (isForGood(player, place)) return;
  const close = choices.chance(0.3);
  if (close) player.expectClose();
  else expectAway(player.known.get(place.namespace));
  player.client.emit(place.namespace, ['leave-me', close]);
}

/** What its client says meanwhile is for a namespace that it is not in: that ends the session. */
function expectAway(socket) {
  socket.isSentAway = true;
  socket.player.excuse('sent away while it spoke');
}

function sendAway(player, place, choices) {
  const { oracle } = player.world;
  const others = [...oracle.sockets.values()].filter((it) => isBeside(player, place, it) && !it.isOver);
  const target = choices.pick(others);
  if (isForGood(target.player, place)) return;
  expectAway(target);
  ask(player, place, ['make-disconnect', { from: 'server', to: [target.id] }, false], isOk);
}

function unknownNamespace(player, place, choices) {
  const unknown = player.client.place(`/unknown-${choices.integer(0, 2)}`);
  const message = 'Invalid namespace';
  unknown.expectsRefusal = player.client.protocol === 5 ? { message } : message;
  player.client.join(unknown.namespace);
}

function endSession(player) {
  player.client.session.close();
}
